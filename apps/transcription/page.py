"""The page of `rnn-transcription try`: a recording, its text, and what was heard when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rnnapps.apps.transcription.requests import LONGEST_SECONDS
from rnnapps.cli.questions import Questions
from rnnapps.datasets.sources import TranscriptSource
from rnnapps.errors import UserError
from rnnapps.pages import Page, Part, Picture, SoundInput, Table, TextOutput

_SEVERAL = 5


def page(questions: Questions) -> Page:
    """A recording in; its text, its words with their times, and the picture of both out."""
    several = min(_SEVERAL, questions.decoding.beam) if questions.kind == "run" else _SEVERAL

    def answer(recording: str | None) -> Mapping[str, Any]:
        if recording is None:
            raise UserError("record something, or drop in a file first")
        rows = questions.rows([recording])
        answers = questions.answers(rows, nbest=several)
        words = [word for answer in answers for word in answer["words"]]
        text = " ".join(answer["text"] for answer in answers)
        best = answers[0].get("nbest", []) if len(answers) == 1 else []
        return {
            "text": text,
            "words": [(f"{one['start']:.2f}", one["word"], f"{one['confidence']:.0%}") for one in words],
            "nbest": [(f"{one['score']:.2f}", one["text"]) for one in best],
            "heard": partial(_draw, questions, recording, text, words),
        }

    part = Part(
        title="Speech recognition",
        inputs=[SoundInput("recording", "Recording or microphone")],
        outputs=[
            TextOutput("text", "Text"),
            Picture("heard", f"What was heard when, in the first {LONGEST_SECONDS:g} seconds"),
            Table("words", "Words", columns=("seconds", "word", "confidence")),
            Table("nbest", "The best texts, with their scores", columns=("score", "text")),
        ],
        answer=answer,
        button="Transcribe",
    )
    return Page("Speech recognition", "Say something or drop in a file, and read what the model understands.", [part])


def _draw(questions: Questions, recording: str, text: str, words: Sequence[Mapping[str, Any]], path: Path) -> None:
    from rnnapps.apps.transcription.language import scorer_of
    from rnnapps.apps.transcription.pictures import plot_heard, plot_words
    from rnnapps.audio import LogMel, read_audio

    rate = questions.about.get("sample_rate", TranscriptSource().sample_rate)  # a server does not report its rate
    samples = read_audio(recording, rate)[: round(LONGEST_SECONDS * rate)]
    if questions.model is None:
        within = [one for one in words if one["end"] <= len(samples) / rate]
        plot_words(LogMel(rate), samples, within, text, path)
        return
    search = questions.decoding
    plot_heard(questions.model, samples, search, scorer_of(questions.model, search), text, path)
