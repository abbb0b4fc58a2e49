"""From recordings to batches of waveforms."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.audio import BackgroundNoise
from rnnapps.datasets.bucketing import BucketedBatches, bucket


class WaveformBatches:
    """Batches of ((waveform float32 (batch, samples), lengths int32 (batch,)), targets (batch,)).

    Waveforms are padded with zeros to a few lengths; the lengths tell the model how much of each is real.

    Args:
        waveforms: The recordings, int16 (samples,) each.
        targets: A label or a text for each.
        batch_size: Recordings per batch.
        buckets: Number of padded lengths; each costs one compilation where XLA is used.
        seed: Reshuffles each epoch; None keeps a fixed order.
        noise: Mixes background noise into the recordings, new in each epoch; None leaves recordings unchanged.
    """

    def __init__(
        self,
        waveforms: Sequence[np.ndarray],
        targets: np.ndarray | tf.Tensor,
        batch_size: int,
        *,
        buckets: int,
        seed: int | None = None,
        noise: BackgroundNoise | None = None,
    ):
        lengths = np.array([len(waveform) for waveform in waveforms], np.int32)
        self._batches: BucketedBatches = bucket(
            (waveforms, lengths, targets), batch_size=batch_size, boundaries=buckets, seed=seed
        )
        self.steps = self._batches.steps
        self._noise, self._seed = noise, seed or 0

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of an epoch; see `BucketedBatches.epoch`."""

        def prepared(step: tf.Tensor, batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> Any:
            waveform, lengths, targets = batch
            waveform = tf.cast(waveform, tf.float32) / 2**15
            if self._noise:
                # Depends on epoch and step only, so that a resumed run gets the same noise.
                waveform = self._noise(
                    waveform, lengths, tf.stack([tf.constant(self._seed + (n << 32), tf.int64), step])
                )
            return (waveform, lengths), targets

        return self._batches.epoch(n).enumerate().map(prepared)

    def order(self) -> np.ndarray:
        """The order of the examples in epoch 0; see `BucketedBatches.order`."""
        return self._batches.order()
