"""Requests to the signature of a speech classifier, and the meaning of its answers. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps.apps.speech.cli import Shown
from rnnapps.cli import RunConfig
from rnnapps.errors import UserError
from rnnapps.options import changed
from rnnapps.prediction.nbest import best_classes, check_top


def request(row: Mapping[str, Any], decoding: object) -> dict[str, Any]:
    """The input of `serving_default`: the bytes of a WAV file; other audio files are converted to WAV.

    Raises:
        UserError: The file cannot be read, or is not a recording.
    """
    from rnnapps.audio import wav_bytes

    return {"audio": wav_bytes(Path(row["path"]))}


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: Shown) -> dict[str, Any]:
    """The label, its probability, and the most probable classes with theirs."""
    label, score, top = best_classes(outputs, about, decoding.top)
    return {"label": label, "score": score, "top": top}


def lines(number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Shown) -> Iterator[Sequence[str]]:
    """The file, and the most probable classes with their probabilities."""
    yield row["path"], *(cell for label, score in answer["top"].items() for cell in (label, f"{score:.3f}"))


def check(decoding: Shown, asked: str, input: Path | None) -> None:
    """Refuses options that do not go together."""
    check_top(decoding.top, asked, input)


def check_config(config: RunConfig) -> None:
    """Refuses options of `train` that do not go together."""
    options = config.model
    if options.causal and options.pooling != "attention":
        raise UserError(f"--causal needs --pooling attention, got {options.pooling}")
    if not options.causal and changed(options, "memory_seconds"):
        raise UserError(f"--memory-seconds {options.memory_seconds:g} is for --causal; add it, or leave this one out")
    options.check_frames(config.source.sample_rate)
