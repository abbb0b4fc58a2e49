"""How good a model of video is: figures, tables and pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from rnnapps.apps.video.batches import ClipBatches
from rnnapps.apps.video.model import ActionClassifier
from rnnapps.cli.confusion_table import confusion_table
from rnnapps.datasets import Clips
from rnnapps.training import plot_confusion_matrix


def assess(
    model: ActionClassifier, split: Clips, batch_size: int, decoding: object = None, report: Path | None = None
) -> dict[str, Any]:
    """Evaluates a classifier of actions.

    Args:
        model: The classifier.
        split: Labelled clips.
        batch_size: Clips a batch.
        decoding: Not used.
        report: Folder for `confusion_matrix.png`; None draws nothing.

    Returns:
        `accuracy`, `f1` (mean over classes), `loss` (cross-entropy in nats), `count`, `frames`, `frames_per_second` (of
        computing), `classes` and `confusion` (rows: true class; columns: predicted).

    Raises:
        DataError: The clips have no labels, or one that the model does not know.
    """
    split = split.with_classes(model.classes)
    assert split.labels is not None
    ordered = ClipBatches(split, split.labels, batch_size)
    watch = tf.function(lambda frames, lengths: model.probabilities(frames, lengths)[0], reduce_retracing=True)
    answers, computing = [], 0.0
    for (frames, lengths), _ in ordered.epoch(0):
        begin = time.perf_counter()
        answers.append(watch(frames, lengths).numpy())
        computing += time.perf_counter() - begin
    probabilities = np.empty((len(split), len(model.classes)))
    probabilities[ordered.order()] = np.concatenate(answers)
    numbers = range(len(model.classes))
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(split.labels, predicted, labels=numbers)
    if report is not None:
        plot_confusion_matrix(confusion, model.classes, report / "confusion_matrix.png")
    right = probabilities[np.arange(len(split)), split.labels]
    frames_read = int(split.lengths.sum())
    return {
        "accuracy": float(accuracy_score(split.labels, predicted)),
        "f1": float(f1_score(split.labels, predicted, labels=numbers, average="macro", zero_division=0)),
        "loss": float(-np.log(np.maximum(right, 1e-12)).mean()),
        "count": len(split),
        "frames": frames_read,
        "frames_per_second": frames_read / computing,
        "classes": list(model.classes),
        "confusion": confusion.tolist(),
    }


def table(metrics: dict[str, Any]) -> str:
    """The figures of `assess` for a person to read."""
    lines = [
        f"accuracy    {metrics['accuracy']:.2%}",
        f"F1 (macro)  {metrics['f1']:.4f}",
        f"loss        {metrics['loss']:.4f}",
        f"clips       {metrics['count']:,}, {metrics['frames_per_second']:,.0f} frames a second",
        "",
        *confusion_table(metrics["classes"], metrics["confusion"]),
    ]
    return "\n".join(lines)
