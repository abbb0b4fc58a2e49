"""The signatures of an exported translator: strings in; translations and their scores out, beam search in the graph."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.translation.model import Search, Translator

TRICKY = ["", " ", "🎉🎉", "这部电影很好看。", "nul \x00 byte", "A B C 1 2 3 ...", "word " * 400]
_CHUNK = 64  # sentences at a time; more of them are no faster


def endpoints(model: Translator, search: Search, n_best: int) -> dict[str, serving.Endpoint]:
    """The signatures of an export.

    `serving_default`: `text` string (batch,) -> `translation` string (batch,), `score` float32 (batch,), the
    log-probability over the length penalty. `nbest`: `text` -> `translations` string (batch, n_best), `scores` float32
    (batch, n_best), the best first; where there are fewer, they are empty and score -1e9.
    """
    text = [tf.TensorSpec([None], tf.string, name="text")]

    def best(text: tf.Tensor) -> dict[str, tf.Tensor]:
        translations, scores = model.translate(text, search)
        return {"translation": translations[:, 0], "score": scores[:, 0]}

    def several(text: tf.Tensor) -> dict[str, tf.Tensor]:
        translations, scores = model.translate(text, search, n_best=n_best)
        return {"translations": translations, "scores": scores}

    return {
        "serving_default": serving.Endpoint(serving.in_chunks(best, _CHUNK), text),
        "nbest": serving.Endpoint(serving.in_chunks(several, _CHUNK), text),
    }


def export(
    model: Translator,
    output: Path,
    samples: Sequence[str],
    *,
    search: Search,
    n_best: int,
    version: int | None = None,
    about: Mapping[str, Any] | None = None,
) -> serving.Saved:
    """Writes OUTPUT/<version>/ and what a server needs beside it, checked in a process without Keras and rnnapps.

    Args:
      model: a trained translator.
      output: the model's folder, as TensorFlow Serving's `base_path`.
      samples: sentences whose translations must be the model's own; tricky ones are added.
      search: how translations are looked for.
      n_best: translations of the signature `nbest`.
      version: the version's number; None takes the next free one.
      about: what the export's metadata say of the model: data set, metrics.

    Raises:
      ExportError: if the folder cannot be written or the check fails.
    """
    requests = {name: [{"text": [*samples, *TRICKY]}] for name in ("serving_default", "nbest")}
    described = {"app": "translation", "search": search._asdict(), **(about or {})}
    resources = [model, model.source_subwords, model.target_subwords]
    return serving.save(output, resources, endpoints(model, search, n_best), requests, about=described, version=version)
