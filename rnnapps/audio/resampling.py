"""Resampling in the graph, for models that take recordings of any rate without Python around them."""

import tensorflow as tf


def resample(waveform: tf.Tensor, rate: tf.Tensor, new_rate: int) -> tf.Tensor:
    """Resamples a waveform by cutting or extending its spectrum, which is the ideal low-pass filter.

    Args:
      waveform: float32 (samples,).
      rate: its sample rate in Hz, int32 scalar.
      new_rate: the wanted one.

    Returns:
      float32 (samples * new_rate / rate, rounded up,).

    Example:
      >>> second = tf.sin(tf.range(8000.0) * (2 * 3.14159265 * 440 / 8000))
      >>> resample(second, tf.constant(8000), 16000).shape
      TensorShape([16000])
    """
    divisor = _greatest_common_divisor(rate, tf.constant(new_rate))
    block, new_block = rate // divisor, new_rate // divisor
    samples = tf.size(waveform)
    # The spectrum is that of a signal that goes round, so some silence keeps its end from its beginning; a whole
    # number of blocks of `block` samples becomes a whole number of blocks of `new_block`.
    silence = rate // 50
    blocks = -(-(samples + silence) // block)
    length, new_length = blocks * block, blocks * new_block
    spectrum = tf.signal.rfft(tf.pad(waveform, [[0, length - samples]]), [length])
    kept = tf.minimum(length, new_length) // 2 + 1
    spectrum = tf.pad(spectrum[:kept], [[0, tf.maximum(new_length // 2 + 1 - kept, 0)]])
    scale = tf.cast(new_length, tf.float32) / tf.cast(length, tf.float32)
    resampled = tf.signal.irfft(spectrum, [new_length]) * scale
    exact = tf.cast(samples, tf.int64) * new_rate
    return resampled[: tf.cast(-(-exact // tf.cast(rate, tf.int64)), tf.int32)]


def _greatest_common_divisor(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    return tf.while_loop(lambda a, b: b > 0, lambda a, b: (b, a % b), (a, b))[0]
