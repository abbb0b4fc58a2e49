"""The page of `rnn-language try`: suggestions as you type, and continuations of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rnnapps.cli.questions import Questions
from rnnapps.pages import NumberInput, Page, Part, Probabilities, TextInput, TextOutput

_LONGEST = 1000  # tokens that the page offers to write; more if the command asks for more


def page(questions: Questions) -> Page:
    """One tab for completions, one for writing."""

    def complete(text: str) -> Mapping[str, Any]:
        found = questions.outputs("complete", {"prefix": np.array([text], object)})
        words = (word.decode("utf-8", errors="replace") for word in found["completions"][0])
        pairs = zip(words, found["probabilities"][0].tolist(), strict=True)
        return {"words": {word: probability for word, probability in pairs if word}}

    def write(prompt: str, length: int, temperature: float, seed: int) -> Mapping[str, Any]:
        how = {"length": int(length), "temperature": float(temperature), "seed": int(seed), "samples": 1}
        (found,) = questions.answers([{"prompt": prompt}], **how)
        return {"text": prompt + found["text"]}

    how = questions.decoding
    suggesting = Part(
        title="Suggest while typing",
        inputs=[TextInput("text", "Text", lines=4, placeholder="Start typing")],
        outputs=[Probabilities("words", "The last word completed, or the next one")],
        answer=complete,
        live=True,
    )
    writing = Part(
        title="Write",
        inputs=[
            TextInput("prompt", "Beginning", lines=4),
            NumberInput("length", "Maximum number of tokens to write", how.length, 0, _LONGEST, 1),
            NumberInput("temperature", "Temperature: below 1 favours probable tokens", how.temperature, 0, 2, 0.05),
            NumberInput("seed", "The same seed writes the same text", how.seed, 0, 999, 1),
        ],
        outputs=[TextOutput("text", "Text", lines=12)],
        answer=write,
        button="Write",
    )
    return Page("Language model", "See what the model expects after what you type.", [suggesting, writing])
