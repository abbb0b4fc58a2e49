"""Resampling in the graph, for exported models that take recordings of any sample rate."""

import tensorflow as tf


def resample(waveform: tf.Tensor, rate: tf.Tensor, new_rate: int) -> tf.Tensor:
    """Resamples a waveform by cutting or extending its spectrum, which is the ideal low-pass filter.

    Args:
        waveform: Float32 `(samples,)`.
        rate: Its sample rate in Hz, int32 scalar.
        new_rate: The new sample rate in Hz.

    Returns:
        Float32 `(samples * new_rate / rate, rounded up,)`.

    Example:
        >>> second = tf.sin(tf.range(8000.0) * (2 * 3.14159265 * 440 / 8000))
        >>> resample(second, tf.constant(8000), 16000).shape
        TensorShape([16000])
    """
    divisor = _greatest_common_divisor(rate, tf.constant(new_rate))
    block, new_block = rate // divisor, new_rate // divisor
    samples = tf.size(waveform)
    # A discrete spectrum belongs to a periodic signal, so silence separates the end from the beginning. A whole number
    # of blocks of `block` samples becomes as many blocks of `new_block` samples.
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
