"""From recordings and their texts to batches of waveforms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.transcription.model import Transcriber
from rnnapps.datasets import BucketedBatches, DataError, Rejected, Transcripts, bucket
from rnnapps.datasets.rejected import skipped
from rnnapps.training import needed_steps


class UtteranceBatches:
    """Batches of ((waveform float32 (batch, samples), lengths int32 (batch,)), texts string (batch,)).

    Waveforms are padded with zeros to a few lengths; the lengths tell the model how much of each is real.

    Args:
        split: The recordings.
        batch_size: Recordings per batch.
        buckets: Number of padded lengths.
        seed: Reshuffles each epoch; None keeps a fixed order.
    """

    def __init__(self, split: Transcripts, batch_size: int, *, buckets: int = 12, seed: int | None = None):
        lengths = np.array([len(waveform) for waveform in split.waveforms], np.int32)
        texts = tf.constant(split.texts, tf.string)
        self._batches: BucketedBatches = bucket(
            (split.waveforms, lengths, texts), batch_size=batch_size, boundaries=buckets, seed=seed
        )
        self.steps = self._batches.steps

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of an epoch; see `rnnapps.datasets.BucketedBatches.epoch`."""

        def prepared(waveform: tf.Tensor, lengths: tf.Tensor, texts: tf.Tensor) -> Any:
            return (tf.cast(waveform, tf.float32) / 2**15, lengths), texts

        return self._batches.epoch(n).map(prepared)

    def order(self) -> np.ndarray:
        """The order of the examples in epoch 0; see `rnnapps.datasets.BucketedBatches.order`."""
        return self._batches.order()


def usable(model: Transcriber, split: Transcripts, strict: bool) -> tuple[Transcripts, Iterator[str]]:
    """The recordings that the model can learn from, and lines that name the others.

    CTC needs a step for each token and one more between equal tokens. The model knows the characters of the training
    texts only.

    Raises:
        DataError: With `strict`, there is a recording that it cannot learn from; or there is none that it can.
    """
    known = set(model.tokens.pieces)
    labels = model.tokens.encode(tf.constant(split.texts)).to_tensor(-1)
    kept, bad = [], []
    for place, (text, needed) in enumerate(zip(split.texts, needed_steps(labels).numpy().tolist(), strict=True)):
        steps = len(split.waveforms[place]) // model.step_samples
        unknown = sorted(set(text.decode()) - known)
        if unknown:
            where = "subword" if model.subwords else "training text"
            reason = f"character {unknown[0]!r} is not in any {where}"
        elif needed > steps:
            reason = f"the text is longer than the audio allows: it needs {needed} steps, got {steps}"
        else:
            kept.append(place)
            continue
        bad.append(Rejected(None, reason, Path(split.paths[place])))
    if bad and (strict or not kept):
        raise DataError(str(bad[0]))
    of = f"of the {split.split} split"
    return split.only(kept), skipped(bad, f"recording {of}", f"recordings {of}")
