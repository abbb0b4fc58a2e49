"""Recorded background noise, such as that of Speech Commands, mixed into batches of waveforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

QUIETEST = 40.0  # dB below the loudest level


class BackgroundNoise:
    """Adds an excerpt of recorded noise to each clip of a batch, at a random place and level.

    Args:
        recordings: The noise, int16 `(samples,)` each. An excerpt may run from one recording into the next, so clips
            may be longer than any of them.
        loudest: Loudest noise relative to the clip, in dB; each clip draws a level between that and 40 dB less.

    Call arguments:
        waveform: Float `(batch, samples)`, padded with zeros.
        lengths: Integer `(batch,)`, the number of real samples of each waveform.
        seed: Integer `(2,)`; the same seed gives the same noise.

    Returns:
        The waveforms with noise; the padding stays zero.

    Raises:
        ValueError: There is no recording, or none has a sample.

    Example:
        >>> hum = np.sin(np.arange(100, dtype="float32")) * 2**14
        >>> mix = BackgroundNoise([hum.astype("int16")], loudest=0.0)
        >>> mix(tf.constant([[1.0, 1, 1, 1, 0, 0]]), tf.constant([4]), tf.constant([0, 1])).numpy()[0, 4:].tolist()
        [0.0, 0.0]

    Reference:
        Warden, "Speech Commands: a dataset for limited-vocabulary speech recognition", arXiv:1804.03209, section 5.8.
    """

    def __init__(self, recordings: Sequence[np.ndarray], loudest: float) -> None:
        if not any(len(recording) for recording in recordings):
            raise ValueError("`recordings` must hold at least one sample, got none")
        self.noise = tf.constant(np.concatenate(list(recordings)), tf.int16)
        self.loudest = loudest

    def __call__(self, waveform: tf.Tensor, lengths: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        batch, samples = tf.unstack(tf.shape(waveform))
        available = tf.size(self.noise)
        where, how_loud = tf.unstack(tf.random.split(seed, 2))
        start = tf.random.stateless_uniform([batch, 1], where, 0, available, tf.int32)
        noise = tf.gather(self.noise, (start + tf.range(samples)[None]) % available)
        real = tf.sequence_mask(lengths, samples, waveform.dtype)
        noise = tf.cast(noise, waveform.dtype) / 2**15 * real
        level = tf.random.stateless_uniform([batch, 1], how_loud, self.loudest - QUIETEST, self.loudest)
        # Power of the clip over power of the noise; both have the same number of real samples.
        ratio = _power(waveform * real) / tf.maximum(_power(noise), 1e-12)
        return waveform + noise * tf.sqrt(ratio) * 10.0 ** (level / 20)


def _power(waveform: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.square(waveform), axis=1, keepdims=True)
