"""From recordings and their texts to batches of waveforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.datasets import BucketedBatches, Transcripts, bucket


class UtteranceBatches:
    """Batches of ((waveform float32 (batch, samples), lengths int32 (batch,)), texts string (batch,)).

    Waveforms are padded with zeros to a few lengths; the lengths tell the model how much of each is real.

    Args:
        split: The recordings.
        batch_size: Recordings a batch.
        buckets: Number of padded lengths.
        seed: Shuffles anew each epoch; None keeps a fixed order.
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
        """Which example stands where in epoch 0; see `rnnapps.datasets.BucketedBatches.order`."""
        return self._batches.order()
