"""How good a classifier is: figures, a table of them, and a picture of its confusions."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from rnnapps.apps.sentiment.data import batches
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.datasets import LabelledTexts
from rnnapps.training.classifier_figures import classifier_figures


def assess(
    model: SentimentClassifier,
    split: LabelledTexts,
    batch_size: int,
    decoding: object = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Evaluates a classifier.

    Args:
        model: The classifier.
        split: Labelled texts.
        batch_size: Texts per batch.
        decoding: Not used; a classifier has no such options.
        report: Folder for `confusion_matrix.png`; None draws nothing.

    Returns:
        What `classifier_figures` does, and `roc_auc` (None where a class is missing; for more than two classes the mean
        of one-vs-rest), `count` and `counts` (examples per class).

    Raises:
        DataError: The split has a class that the model does not know.
    """
    split = split.with_classes(model.classes)
    ordered = batches(model, split, batch_size)
    read = tf.function(lambda tokens: tf.nn.softmax(model(tokens)), reduce_retracing=True)
    answers = np.concatenate([read(tokens).numpy() for tokens, _ in ordered.epoch(0)])
    probabilities = np.empty(answers.shape, "float64")
    probabilities[ordered.order()] = answers
    counts = np.bincount(split.labels, minlength=len(model.classes)).tolist()
    return {
        **classifier_figures(split.labels, probabilities, model.classes, report),
        "roc_auc": _roc_auc(split.labels, probabilities),
        "count": len(split),
        "counts": dict(zip(model.classes, counts, strict=True)),
    }


def table(metrics: dict[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    auc = "-" if metrics["roc_auc"] is None else f"{metrics['roc_auc']:.4f}"
    counts = ", ".join(f"{count:,} {name}" for name, count in metrics["counts"].items())
    return "\n".join(
        [
            f"accuracy  {metrics['accuracy']:.2%}",
            f"F1        {metrics['f1']:.4f}",
            f"ROC-AUC   {auc}",
            f"loss      {metrics['loss']:.4f}",
            f"texts     {metrics['count']:,} ({counts})",
        ]
    )


def _roc_auc(labels: np.ndarray, probabilities: np.ndarray) -> float | None:
    if len(np.unique(labels)) < probabilities.shape[1]:
        return None
    exact = probabilities / probabilities.sum(axis=1, keepdims=True)
    scores = exact[:, 1] if exact.shape[1] == 2 else exact
    return float(roc_auc_score(labels, scores, multi_class="ovr"))
