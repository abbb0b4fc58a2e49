"""How good a classifier is: figures, tables and a picture of the confusions."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, log_loss

from rnnapps.apps.speech.data import labelled_batches
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.cli.confusion_table import confusion_table
from rnnapps.datasets import Recordings
from rnnapps.training import plot_confusion_matrix


def assess(
    model: SpeechClassifier,
    split: Recordings,
    batch_size: int,
    decoding: object = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Evaluates a classifier.

    Args:
        model: The classifier.
        split: Labelled recordings.
        batch_size: Recordings per batch.
        decoding: Not used; its options are for `predict`.
        report: Folder for `confusion_matrix.png`; None draws nothing.

    Returns:
        `accuracy`, `f1` (mean over classes), `loss` (cross-entropy in nats), `count`, `seconds` (of audio),
        `real_time_factor` (seconds of computing per second of audio, in these batches), `classes` and `confusion`
        (rows: true class; columns: predicted).

    Raises:
        DataError: The split has a class that the model does not know.
    """
    split = split.with_classes(model.classes)
    ordered = labelled_batches(split, batch_size)
    read = tf.function(model.probabilities, reduce_retracing=True)
    inputs = [waveform_and_lengths for waveform_and_lengths, _ in ordered.epoch(0)]
    for batch in {batch[0].shape: batch for batch in inputs}.values():
        read(*batch)  # traces and warms up
    begin = time.perf_counter()
    answers = np.concatenate([read(*batch).numpy() for batch in inputs])
    computing = time.perf_counter() - begin
    probabilities = np.empty_like(answers)
    probabilities[ordered.order()] = answers
    labels, numbers = split.labels, range(len(model.classes))
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(labels, predicted, labels=numbers)
    if report is not None:
        plot_confusion_matrix(confusion, model.classes, report / "confusion_matrix.png")
    seconds = sum(map(len, split.waveforms)) / model.sample_rate
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "f1": float(f1_score(labels, predicted, average="macro")),
        "loss": float(log_loss(labels, _sums_to_one(probabilities), labels=list(numbers))),
        "count": len(labels),
        "seconds": seconds,
        "real_time_factor": computing / seconds,
        "classes": list(model.classes),
        "confusion": confusion.tolist(),
    }


def table(metrics: dict[str, Any]) -> str:
    """The figures of `assess`, formatted for reading, the confusions as a table with a row for each true class."""
    lines = [
        f"accuracy          {metrics['accuracy']:.2%}",
        f"F1 (macro)        {metrics['f1']:.4f}",
        f"loss              {metrics['loss']:.4f}",
        f"real-time factor  {metrics['real_time_factor']:.4f}",
        f"recordings        {metrics['count']:,} ({metrics['seconds'] / 60:.1f} min)",
        "",
        *confusion_table(metrics["classes"], metrics["confusion"]),
    ]
    return "\n".join(lines)


def _sums_to_one(probabilities: np.ndarray) -> np.ndarray:
    """The probabilities in float64, normalised to a sum that scikit-learn accepts as 1."""
    exact = probabilities.astype("float64")
    return exact / exact.sum(axis=1, keepdims=True)
