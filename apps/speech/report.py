"""How good a classifier is: figures, tables and a picture of the confusions."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.speech.data import labelled_batches
from rnnapps.apps.speech.model import SpeechClassifier
from rnnapps.cli.confusion_table import confusion_table
from rnnapps.datasets import Recordings
from rnnapps.training.classifier_figures import classifier_figures


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
        What `classifier_figures` does, and `count`, `seconds` (of audio) and `real_time_factor` (seconds of computing
        per second of audio, in these batches).

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
    seconds = sum(map(len, split.waveforms)) / model.sample_rate
    return {
        **classifier_figures(split.labels, probabilities, model.classes, report),
        "count": len(split),
        "seconds": seconds,
        "real_time_factor": computing / seconds,
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
