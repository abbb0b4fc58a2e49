"""Requests to the signature of a sentiment classifier, and the meaning of its answers. No TensorFlow."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rnnapps.cli.options import spelled
from rnnapps.errors import UserError
from rnnapps.options import changed
from rnnapps.prediction.requests import TEXT, as_input
from rnnapps.terminal import shortened

_WIDTH = 80  # characters of a text in a line


def request(row: Mapping[str, Any], decoding: object) -> dict[str, Any]:
    """The input of `serving_default`: a text."""
    return {"text": as_input(row, "text", TEXT)}


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: object) -> dict[str, Any]:
    """The label, its probability, and those of all classes."""
    return {
        "label": outputs["label"].decode("utf-8", errors="replace"),
        "score": round(outputs["score"], 6),
        "probabilities": [round(probability, 6) for probability in outputs["probabilities"]],
    }


def lines(number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: object) -> Iterator[Sequence[str]]:
    """Label, probability and the beginning of the text."""
    yield answer["label"], f"{answer['score']:.3f}", shortened(" ".join(row["text"].split()), _WIDTH)


def check_config(config: Any) -> None:
    """Refuses options of `train` that do not go together."""
    how = config.training
    if how.start_from is not None and how.embeddings is not None:
        raise UserError("--start-from and --embeddings both set the embeddings; use one of them")
    if how.start_from is None:
        for name in changed(how, "start_layers", "unfreeze_every", "layer_rate"):
            raise UserError(f"{spelled(name)} needs --start-from RUN")
    if how.embeddings is None and changed(how, "freeze_embeddings"):
        raise UserError("--freeze-embeddings needs --embeddings FILE")
