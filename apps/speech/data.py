"""From labelled recordings to batches of waveforms."""

import numpy as np
import tensorflow as tf

from rnnapps.datasets import BucketedBatches, Recordings, bucket


class WaveformBatches:
    """Batches of ((waveform float32 (batch, samples), lengths int32 (batch,)), labels int64 (batch,)).

    Waveforms are padded with zeros to a few lengths; the lengths tell the model how much of each is real.

    Args:
        split: The recordings.
        batch_size: Recordings a batch.
        buckets: Number of padded lengths; each costs one compilation where XLA is used.
        seed: Shuffles anew each epoch; None keeps a fixed order.
    """

    def __init__(self, split: Recordings, batch_size: int, *, buckets: int = 6, seed: int | None = None):
        lengths = np.array([len(waveform) for waveform in split.waveforms], np.int32)
        self._batches: BucketedBatches = bucket(
            (split.waveforms, lengths, split.labels), batch_size=batch_size, boundaries=buckets, seed=seed
        )
        self.steps = self._batches.steps

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of an epoch; see `rnnapps.datasets.BucketedBatches.epoch`."""
        return self._batches.epoch(n).map(
            lambda waveform, lengths, labels: ((tf.cast(waveform, tf.float32) / 2**15, lengths), labels)
        )

    def order(self) -> np.ndarray:
        """Which example stands where in epoch 0; see `rnnapps.datasets.BucketedBatches.order`."""
        return self._batches.order()
