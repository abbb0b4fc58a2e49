"""The signature of an exported classifier: strings in; label, score and probabilities out."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.sentiment.model import UNKNOWN, SentimentClassifier
from rnnapps.datasets import LabelledTexts
from rnnapps.serving import litert

TRICKY = ["", "🎉🎉", "这部电影很好看。", "nul \x00 byte", "<br /><b>marked up</b>", "word " * 5000]
_SAMPLES = 100  # texts of the test split in an export
_CHUNK = 128  # texts at a time; of 400 words and 128 units they take some 400 MB


def endpoints(model: SentimentClassifier, decoding: object = None) -> dict[str, serving.Endpoint]:
    """The signatures of an export: `serving_default`, strings `(batch,)` in; see `serving.labelled`."""
    answer = serving.labelled_in_chunks(model.classes, model.probabilities, _CHUNK)
    return {"serving_default": serving.Endpoint(answer, [tf.TensorSpec([None], tf.string, name="text")])}


def samples(model: SentimentClassifier, split: LabelledTexts | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export: texts of a split, and tricky ones."""
    texts = [] if split is None else [text.decode("utf-8", errors="replace") for text in split.texts[:_SAMPLES]]
    return {"serving_default": [{"text": [*texts, *TRICKY]}]}


def about(model: SentimentClassifier) -> dict[str, Any]:
    """What an export says about the model: its classes, in the order of `probabilities`."""
    return {"classes": list(model.classes)}


def quantize(model: SentimentClassifier, file: Path, split: LabelledTexts) -> tuple[float, float, int]:
    """Writes the classifier, from word ids on, as a LiteRT file, int32 (1, time) -> float32 (1, classes).

    Writes `vocabulary.txt` next to it: one word per line, first that of id 0 (padding), then id 1 (unknown).

    Args:
        model: A trained classifier.
        file: The file to write.
        split: Labelled texts; the accuracy is measured on the first of them.

    Returns:
        The accuracy of the model, that of the file, and how many texts they were measured on.

    Raises:
        ExportError: LiteRT lacks operations.
    """
    split = split.with_classes(model.classes)
    texts, labels = split.texts[: litert.MEASURED], split.labels[: litert.MEASURED]

    def read(ids: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(model(ids))

    spec = tf.TensorSpec([1, None], tf.int32)
    litert.convert(read, spec, file)
    words = ["", "[UNK]", *model.vocabulary]
    file.with_name("vocabulary.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    ids = [np.array([row or [UNKNOWN]], np.int32) for row in model.tokens(tf.constant(texts)).to_list()]
    before = tf.function(read, input_signature=[spec], autograph=False)
    original, quantized = (
        litert.accuracy(answer, ids, labels) for answer in (lambda row: before(row).numpy(), litert.Interpreter(file))
    )
    return original, quantized, len(labels)
