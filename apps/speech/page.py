"""The page of `rnn-speech try`: a recording, its class, and what was heard when."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.cli.questions import Questions
from rnnapps.datasets.sources import RecordingSource
from rnnapps.errors import UserError
from rnnapps.pages import Page, Part, Picture, Probabilities, SoundInput
from rnnapps.pages.class_names import named

_LONGEST = 60  # seconds
_POINTS, _EVERY = 24, 0.1  # maximum number of points in the picture, and their minimum distance in seconds


def page(questions: Questions) -> Page:
    """A recording in; the probabilities of the classes, at the end and over time, out."""
    rate = questions.about.get("sample_rate", RecordingSource().sample_rate)  # a server does not report its rate

    def answer(recording: str | None) -> Mapping[str, Any]:
        if recording is None:
            raise UserError("record something, or drop in a file first")

        from rnnapps.audio import read_audio

        samples = read_audio(recording, rate)
        if len(samples) > _LONGEST * rate:
            raise UserError(f"the page takes at most {_LONGEST} seconds, got {len(samples) / rate:.0f}")
        ends = beginnings(len(samples), rate)
        heard = questions.outputs("serving_default", {"audio": _wav_files(samples, ends, rate)})
        label, probabilities = heard["label"][-1].decode("utf-8", errors="replace"), heard["probabilities"]
        found = named(probabilities[-1].tolist(), questions.about.get("classes"), label)
        times, title = [end / rate for end in ends], f"{label} {found[label]:.3f}"
        return {
            "probabilities": found,
            "heard": partial(_draw, questions.model, rate, list(found), samples, times, probabilities, title),
        }

    part = Part(
        title="Audio classification",
        inputs=[SoundInput("recording", "Recording or microphone")],
        outputs=[
            Probabilities("probabilities", "Answer"),
            Picture("heard", "Spectrogram, and the probabilities over time"),
        ],
        answer=answer,
        button="Classify",
    )
    return Page("Audio classification", "Record a sound or drop in a file, and see what the model hears.", [part])


def beginnings(samples: int, rate: int) -> list[int]:
    """Where to stop listening, in samples: at regular steps, and at the end.

    Example:
        >>> beginnings(4000, 16000)
        [1600, 3200, 4000]
    """
    step = max(round(_EVERY * rate), -(-samples // _POINTS))
    return [*range(step, samples, step), samples]


def _wav_files(samples: np.ndarray, ends: list[int], rate: int) -> np.ndarray:
    """The beginnings of a recording, bytes of WAV files."""
    from rnnapps.audio.to_wav import wav_file

    return np.array([wav_file(samples[:end], rate) for end in ends], object)


def _draw(
    model: Any,
    rate: int,
    classes: list[str],
    samples: np.ndarray,
    times: list[float],
    probabilities: np.ndarray,
    title: str,
    path: Path,
) -> None:
    from rnnapps.apps.speech.pictures import plot_stream
    from rnnapps.audio import LogMel

    log_mel = LogMel(rate) if model is None else model.log_mel
    plot_stream(log_mel, classes, samples, times, probabilities, title, path)
