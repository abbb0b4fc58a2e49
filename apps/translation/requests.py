"""Requests to the signature `nbest` of a translator, and the meaning of its answers. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps.apps.translation.cli import Search
from rnnapps.prediction.drawn_files import check_on_screen, check_suffix
from rnnapps.prediction.nbest import NO_ANSWER, check_beam, check_nbest, with_nbest
from rnnapps.prediction.requests import TEXT, as_input


def request(row: Mapping[str, Any], decoding: object) -> dict[str, Any]:
    """The input: a text."""
    return {"text": as_input(row, "text", TEXT)}


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: Search) -> dict[str, Any]:
    """The best translation and its score, and all of them if several are requested."""
    check_nbest(decoding.nbest, len(outputs["translations"]))
    several = [
        {"translation": text.decode("utf-8", errors="replace"), "score": round(score, 6)}
        for text, score in zip(outputs["translations"], outputs["scores"], strict=True)
        if score > NO_ANSWER / 2
    ]
    return with_nbest(several, decoding.nbest)


def lines(number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Search) -> Iterator[Sequence[str]]:
    """The translation; with several per text, number, score and translation of each."""
    if "nbest" not in answer:
        yield (answer["translation"],)
        return
    for candidate in answer["nbest"]:
        yield str(number), f"{candidate['score']:.4f}", candidate["translation"]


def check(decoding: Search, asked: str, input: Path | None) -> None:
    """Refuses options that do not go together."""
    check_beam(decoding.nbest, decoding.beam, asked, input)
    if decoding.attention_plot is not None:
        check_suffix("--attention-plot", decoding.attention_plot)
        check_on_screen("--attention-plot", asked, input)
