"""How good a classifier is: figures, a table of them, and a picture of its confusions."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss, roc_auc_score

from rnnapps.apps.sentiment.data import Reviews, batches
from rnnapps.training import plot_confusion_matrix


def assess(model, examples: Reviews, batch_size: int, *, picture: Path | None = None) -> dict:
    """Evaluates a classifier.

    Args:
      model: the classifier.
      examples: labelled texts, with the model's class numbers.
      batch_size: texts a batch.
      picture: where to draw the confusion matrix, a PNG; None draws nothing.

    Returns:
      `accuracy`, `f1` (mean over classes), `roc_auc` (None where a class is missing; for more than two classes the
      mean of one against the rest), `loss` (cross-entropy in nats), `count` and `counts` (examples a class).
    """
    split = batches(model, examples, batch_size)
    read = tf.function(lambda tokens: tf.nn.softmax(model(tokens)), reduce_retracing=True)
    found = np.concatenate([read(tokens).numpy() for tokens, _ in split.epoch(0)])
    probabilities = np.empty(found.shape, "float64")
    probabilities[split.order()] = found
    probabilities /= probabilities.sum(axis=1, keepdims=True)  # scikit-learn wants the last bit, too
    labels, numbers = examples.labels, range(len(model.classes))
    predicted = probabilities.argmax(axis=1)
    if picture is not None:
        matrix = confusion_matrix(labels, predicted, labels=numbers)
        plot_confusion_matrix(matrix, model.classes, picture)
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, average="macro")),
        "roc_auc": _roc_auc(labels, probabilities),
        "loss": float(log_loss(labels, probabilities, labels=list(numbers))),
        "count": len(labels),
        "counts": {name: int((labels == number).sum()) for number, name in enumerate(model.classes)},
    }


def table(metrics: dict) -> str:
    """The figures of `assess` for a person to read."""
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
