"""The signature of an exported classifier: strings in; label, score and probabilities out."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.sentiment.model import UNKNOWN, SentimentClassifier
from rnnapps.serving import litert

TRICKY = ["", "🎉🎉", "这部电影很好看。", "nul \x00 byte", "<br /><b>marked up</b>", "word " * 5000]
_CHUNK = 128  # texts at a time; of 400 words and 128 units they take some 400 MB


def answers(model: SentimentClassifier, text: tf.Tensor) -> dict[str, tf.Tensor]:
    """What the export answers.

    Args:
      model: the classifier.
      text: string (batch,).

    Returns:
      `label`: string (batch,), the most probable class; `score`: float32 (batch,), its probability; `probabilities`:
      float32 (batch, classes), in the order of `model.classes`.
    """
    probabilities = model.probabilities(text)
    label = tf.gather(tf.constant(model.classes), tf.argmax(probabilities, axis=1))
    return {"label": label, "score": tf.reduce_max(probabilities, axis=1), "probabilities": probabilities}


def endpoints(model: SentimentClassifier) -> dict[str, serving.Endpoint]:
    """The signatures of an export: `serving_default`, see `answers`."""
    answer = serving.in_chunks(lambda text: answers(model, text), _CHUNK)
    return {"serving_default": serving.Endpoint(answer, [tf.TensorSpec([None], tf.string, name="text")])}


def export(
    model: SentimentClassifier,
    output: Path,
    samples: Sequence[str],
    version: int | None = None,
    about: Mapping[str, Any] | None = None,
    add: Callable[[Path], None] | None = None,
) -> serving.Saved:
    """Writes OUTPUT/<version>/ and what a server needs beside it, checked in a process without Keras and rnnapps.

    Args:
      model: a trained classifier.
      output: the model's folder, as TensorFlow Serving's `base_path`.
      samples: texts whose answers must be the model's own; tricky ones are added.
      version: the version's number; None takes the next free one.
      about: what the export's metadata say of the model: data set, metrics.
      add: writes more files into `assets.extra` before the version gets its name; see `serving.save`.

    Raises:
      ExportError: if the folder cannot be written or the check fails.
    """
    requests = {"serving_default": [{"text": [*samples, *TRICKY]}]}
    described = {"app": "sentiment", "classes": list(model.classes), **(about or {})}
    return serving.save(output, [model], endpoints(model), requests, about=described, version=version, add=add)


def quantize(
    model: SentimentClassifier, file: Path, texts: Sequence[bytes], labels: Sequence[int]
) -> tuple[float, float]:
    """Writes the classifier from word ids on as a LiteRT file, int32 (1, time) -> float32 (1, classes).

    Beside it goes `vocabulary.txt`: a word a line, the first line that of id 0 (padding), the second of id 1 (unknown).

    Args:
      model: a trained classifier.
      file: what to write.
      texts, labels: what the accuracy is measured on.

    Returns:
      The accuracy of the model, and of the file.

    Raises:
      ExportError: if LiteRT lacks operations.
    """

    def read(ids: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(model(ids))

    spec = tf.TensorSpec([1, None], tf.int32)
    litert.convert(read, spec, file)
    words = ["", "[UNK]", *model.options["vocabulary"]]
    file.with_name("vocabulary.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    ids = [np.int32([row or [UNKNOWN]]) for row in model.tokens(tf.constant(texts)).to_list()]
    before = tf.function(read, input_signature=[spec], autograph=False)
    measured = (lambda one: before(one).numpy(), litert.Interpreter(file))
    return tuple(litert.accuracy(answer, ids, labels) for answer in measured)
