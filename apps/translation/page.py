"""The page of `rnn-translation try`: the best translations, and what the attention looked at."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rnnapps.cli.questions import Questions
from rnnapps.errors import UserError
from rnnapps.pages import Page, Part, Picture, Table, TextInput, TextOutput

_SEVERAL = 5


def page(questions: Questions) -> Page:
    """A text in; its translations out and, for a run, the picture of the attention."""
    several = min(_SEVERAL, questions.decoding.beam) if questions.kind == "run" else _SEVERAL
    looks = questions.model is not None and questions.model.attention is not None

    def answer(text: str) -> Mapping[str, Any]:
        if not text.strip():
            raise UserError("type a text first")
        (found,) = questions.answers([{"text": text}], nbest=several)
        best = found.get("nbest", [found])
        shown = {
            "translation": found["translation"],
            "nbest": [(f"{one['score']:.3f}", one["translation"]) for one in best],
        }
        return shown | ({"attention": partial(_draw, questions.model, text, found["translation"])} if looks else {})

    part = Part(
        title="Translation",
        inputs=[TextInput("text", "Text", lines=2)],
        outputs=[
            TextOutput("translation", "Translation"),
            Table("nbest", "The best translations, with their scores", columns=("score", "translation")),
            *(
                [Picture("attention", "What the attention looked at for each piece of the translation")]
                if looks
                else []
            ),
        ],
        answer=answer,
        button="Translate",
    )
    return Page("Translation", "Type a text in the language that the model was trained to read.", [part])


def _draw(model: Any, text: str, translation: str, path: Path) -> bool:
    from rnnapps.apps.translation.report import draw_attention

    return draw_attention(model, [text], [translation], path)
