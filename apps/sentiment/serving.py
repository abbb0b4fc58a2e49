"""The signature of an exported classifier: strings in; label, score and probabilities out."""

from pathlib import Path

import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.sentiment.model import SentimentClassifier

TRICKY = ["", "🎉🎉", "这部电影很好看。", "nul \x00 byte", "<br /><b>marked up</b>", "word " * 5000]


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


def export(
    model: SentimentClassifier, output: Path, samples: list[str], version: int | None = None
) -> tuple[Path, dict]:
    """Writes OUTPUT/<version>/ and checks it in a fresh process without Keras and rnnapps.

    Args:
      model: a trained classifier.
      output: the model's folder, as TensorFlow Serving's `base_path`.
      samples: texts whose answers must be the model's own; tricky ones are added.
      version: the version's number; None takes the next free one.

    Returns:
      The version's folder, and what the check found.

    Raises:
      ExportError: if the folder cannot be written or the check fails.
    """
    samples = [*samples, *TRICKY]
    expected = answers(model, tf.constant(samples))
    findings = {}

    def approve(folder: Path) -> None:
        findings.update(
            serving.check(
                folder,
                {"text": samples},
                {
                    "label": [label.decode() for label in expected["label"].numpy()],
                    "score": expected["score"].numpy().tolist(),
                    "probabilities": expected["probabilities"].numpy().tolist(),
                },
            )
        )

    endpoint = serving.Endpoint(lambda text: answers(model, text), [tf.TensorSpec([None], tf.string, name="text")])
    folder = serving.save(output, [model], {"serving_default": endpoint}, version=version, approve=approve)
    return folder, findings
