"""The page of `rnn-sentiment try`: a text whose words are coloured by their weight on the answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rnnapps.cli.questions import Questions
from rnnapps.errors import UserError
from rnnapps.pages import ColouredWords, Page, Part, Probabilities, TextInput
from rnnapps.pages.class_names import named

_PIECES = 64  # pieces of a text, left out in turn; in a longer text a piece has several words
_LEAST, _STRONG = 1e-6, 3.0  # lowest probability; nats that colour a word fully, unless other words have more

EXAMPLES = (
    "A superb film: funny, moving and beautifully shot. I have not laughed so much in years.",
    "Two hours of my life, gone. The plot makes no sense and the acting is wooden.",
    "The beginning is slow and the music is awful, but the last half hour is brilliant.",
)


def page(questions: Questions) -> Page:
    """A text in; the probabilities of the classes and the coloured text out."""

    def answer(text: str) -> Mapping[str, Any]:
        if not text.strip():
            raise UserError("type a text first")
        pieces = pieces_of(text)
        whole, *without = questions.answers([{"text": one} for one in (text, *left_out(pieces))])
        return {
            "probabilities": named(whole["probabilities"], questions.about.get("classes"), whole["label"]),
            "words": list(zip(pieces, weights(whole, without), strict=True)),
        }

    part = Part(
        title="Sentiment",
        inputs=[TextInput("text", "Text", lines=5, placeholder="A review of a film, for example")],
        outputs=[
            Probabilities("probabilities", "Answer"),
            ColouredWords("words", "The weight of each word: how much surer the answer is with it than without it"),
        ],
        answer=answer,
        examples=[{"text": text} for text in EXAMPLES],
    )
    return Page("Sentiment analysis", "Type a text, and see which words lead the model to its answer.", [part])


def pieces_of(text: str) -> list[str]:
    """Words with the white space after them; in a long text, several words together. Joined, they are the text.

    Example:
        >>> pieces_of(" It works.  Really! ")
        [' It ', 'works.  ', 'Really! ']
    """
    words = re.findall(r"\s*\S+\s*", text)
    size = -(-len(words) // _PIECES)
    return ["".join(words[first : first + size]) for first in range(0, len(words), size)]


def left_out(pieces: Sequence[str]) -> list[str]:
    """The text without each of its pieces in turn."""
    return ["".join([*pieces[:place], *pieces[place + 1 :]]) for place in range(len(pieces))]


def weights(whole: Mapping[str, Any], without: Sequence[Mapping[str, Any]]) -> list[float]:
    """How much each piece adds to the log-odds of the answer, as a share of the greatest, between -1 and 1.

    Args:
        whole: The answer to the text.
        without: The answers to the text without each of its pieces.

    Reference:
        Li, Monroe and Jurafsky, "Understanding Neural Networks through Representation Erasure", 2016.
    """
    place = max(range(len(whole["probabilities"])), key=whole["probabilities"].__getitem__)
    odds = _log_odds(whole["probabilities"][place])
    added = [odds - _log_odds(answer["probabilities"][place]) for answer in without]
    most = max(_STRONG, *map(abs, added))
    return [value / most for value in added]


def _log_odds(probability: float) -> float:
    probability = min(max(probability, _LEAST), 1 - _LEAST)
    return math.log(probability / (1 - probability))
