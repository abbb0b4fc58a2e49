"""How good a classifier is: figures, a table of them, and a picture of its confusions."""

from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, roc_auc_score

from rnnapps.apps.sentiment.data import batches
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.datasets import LabelledTexts
from rnnapps.training import plot_confusion_matrix


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
        `accuracy`, `f1` (mean over classes), `roc_auc` (None where a class is missing; for more than two classes the
        mean of one-vs-rest), `loss` (cross-entropy in nats), `count` and `counts` (examples per class).

    Raises:
        DataError: The split has a class that the model does not know.
    """
    split = split.with_classes(model.classes)
    ordered = batches(model, split, batch_size)
    read = tf.function(lambda tokens: tf.nn.softmax(model(tokens)), reduce_retracing=True)
    answers = np.concatenate([read(tokens).numpy() for tokens, _ in ordered.epoch(0)])
    probabilities = np.empty(answers.shape, "float64")
    probabilities[ordered.order()] = answers
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # scikit-learn needs them exact to the last bit
    labels, numbers = split.labels, range(len(model.classes))
    predicted = probabilities.argmax(axis=1)
    if report is not None:
        matrix = confusion_matrix(labels, predicted, labels=numbers)
        plot_confusion_matrix(matrix, model.classes, report / "confusion_matrix.png")
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, average="macro")),
        "roc_auc": _roc_auc(labels, probabilities),
        "loss": float(log_loss(labels, probabilities, labels=list(numbers))),
        "count": len(labels),
        "counts": {name: int((labels == number).sum()) for number, name in enumerate(model.classes)},
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
    scores = probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities
    return float(roc_auc_score(labels, scores, multi_class="ovr"))
