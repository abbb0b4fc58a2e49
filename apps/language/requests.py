"""Requests to the signature of a language model, and the meaning of its answers. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.apps.language.cli import Generation
from rnnapps.cli import RunConfig
from rnnapps.errors import UserError
from rnnapps.prediction.nbest import check_one
from rnnapps.prediction.requests import TEXT, as_input


def request(row: Mapping[str, Any], decoding: Generation) -> dict[str, Any]:
    """The inputs of `serving_default`: a prompt, and how to continue it."""
    return {
        "prompt": as_input(row, "prompt", TEXT),
        "length": np.int32(decoding.length),
        "temperature": np.float32(decoding.temperature),
        "seed": np.int32(decoding.seed),
    }


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: Generation) -> dict[str, Any]:
    """What the model wrote: a text, or a list of texts if several were requested."""
    text = outputs["text"]
    if isinstance(text, list):
        return {"text": [_decoded(one) for one in text]}
    return {"text": _decoded(text)}


def lines(
    number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Generation
) -> Iterator[Sequence[str]]:
    """Prompt and text together, as they are read."""
    texts = answer["text"] if isinstance(answer["text"], list) else [answer["text"]]
    for text in texts:
        yield from ((line,) for line in (row["prompt"] + text).split("\n"))
        if len(texts) > 1:
            yield ("-" * 8,)


def check_config(config: RunConfig) -> None:
    """Refuses options of `train` that do not go together."""
    if config.model.level == "subword" and config.training.vocabulary is not None and config.training.vocabulary < 512:
        raise UserError(f"--vocabulary must be at least 512 with --level subword, got {config.training.vocabulary}")


def check(decoding: Generation, asked: str, input: Path | None) -> None:
    """Refuses options of `predict` that do not go together."""
    check_one("--samples", decoding.samples, input)


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", errors="replace")
