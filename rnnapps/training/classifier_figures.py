"""The figures that all classifiers are judged by, computed by scikit-learn, and the picture of their confusions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from rnnapps.training.plots import plot_confusion_matrix


def classifier_figures(
    labels: np.ndarray, probabilities: np.ndarray, classes: Sequence[str], report: Path | None = None
) -> dict[str, Any]:
    """Judges a classifier by its probabilities.

    Args:
        labels: The true classes, int (examples,), indices into `classes`.
        probabilities: Float (examples, classes).
        classes: The names of the classes.
        report: Folder for `confusion_matrix.png`; None draws nothing.

    Returns:
        `accuracy`; `f1`, the mean over the classes that occur or were predicted; `loss`, the cross-entropy in nats;
        `classes`; and `confusion`, how often each true class (row) was taken for each class (column).

    Example:
        >>> probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
        >>> figures = classifier_figures(np.array([0, 1, 1]), probabilities, ["a", "b"])
        >>> figures["confusion"], round(figures["accuracy"], 3)
        ([[1, 0], [1, 1]], 0.667)
    """
    exact = probabilities.astype("float64")
    exact /= exact.sum(axis=1, keepdims=True)  # scikit-learn needs them exact to the last bit
    predicted, numbers = exact.argmax(axis=1), list(range(len(classes)))
    confusion = confusion_matrix(labels, predicted, labels=numbers)
    if report is not None:
        plot_confusion_matrix(confusion, classes, report / "confusion_matrix.png")
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, average="macro")),
        "loss": float(log_loss(labels, exact, labels=numbers)),
        "classes": list(classes),
        "confusion": confusion.tolist(),
    }
