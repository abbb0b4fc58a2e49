"""The signatures of an exported translator: strings in; translations and their scores out, beam search in the graph."""

from typing import Any

import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.translation.cli import Search
from rnnapps.apps.translation.model import Translator
from rnnapps.datasets import Pairs

TRICKY = ["", " ", "🎉🎉", "这部电影很好看。", "nul \x00 byte", "A B C 1 2 3 ...", "word " * 400]
_SAMPLES = 200  # sentences of the test split in an export
_NBEST = 5
_CHUNK = 64  # sentences at a time; larger chunks are no faster


def endpoints(model: Translator, decoding: Search) -> dict[str, serving.Endpoint]:
    """The signatures of an export.

    `serving_default`: `text` string (batch,) -> `translation` string (batch,), `score` float32 (batch,), the
    log-probability over the length penalty. `nbest`: `text` -> `translations` string (batch, n_best), `scores` float32
    (batch, n_best), the best first; missing ones are empty and score -1e9.
    """
    n_best = min(decoding.nbest or _NBEST, decoding.beam)
    text = [tf.TensorSpec([None], tf.string, name="text")]

    def best(text: tf.Tensor) -> dict[str, tf.Tensor]:
        translations, scores = model.translate(text, decoding)
        return {"translation": translations[:, 0], "score": scores[:, 0]}

    def several(text: tf.Tensor) -> dict[str, tf.Tensor]:
        translations, scores = model.translate(text, decoding, n_best=n_best)
        return {"translations": translations, "scores": scores}

    return {
        "serving_default": serving.Endpoint(serving.in_chunks(best, _CHUNK), text),
        "nbest": serving.Endpoint(serving.in_chunks(several, _CHUNK), text),
    }


def samples(model: Translator, split: Pairs | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export: sentences of a split, and tricky ones."""
    texts = [] if split is None else [text.decode("utf-8", errors="replace") for text in split.sources[:_SAMPLES]]
    return {name: [{"text": [*texts, *TRICKY]}] for name in ("serving_default", "nbest")}


def about(model: Translator) -> dict[str, Any]:
    """What an export says about the model: nothing yet."""
    return {}
