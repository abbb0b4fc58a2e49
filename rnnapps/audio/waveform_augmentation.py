"""Another speaker, another room, another distance: augmentation of waveforms in training."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf

_SMOOTH = 1024  # samples


@keras.saving.register_keras_serializable("rnnapps")
class WaveformAugmentation(keras.layers.Layer):
    """Varies speed, position, gain and background noise of each clip, in training only.

    Args:
        speed: Largest change of speed: 0.1 plays clips 1/1.1 to 1.1 times as fast, which moves pitch and formants as
            between larger and smaller speakers.
        shift: Longest silence added before and after a clip, in samples.
        gain: Largest change of loudness, in dB up or down.
        noise: Loudest background noise relative to the clip, in dB (-5 is 5 dB below the clip); each clip draws a level
            between that and 40 dB less, and a colour between white and brown. None for no noise.
        seed: Seed of the variation; None draws one.

    Call arguments:
        waveform: Float `(batch, samples)`.
        lengths: Integer `(batch,)`, the number of real samples of each waveform.
        training: Whether to augment.

    Returns:
        The waveforms `(batch, new samples)`, and their lengths `(batch,)`.

    Raises:
        ValueError: `speed`, `shift` or `gain` is negative.

    Example:
        >>> waveform, lengths = WaveformAugmentation(shift=0, seed=1)(tf.ones((2, 80)), tf.constant([80, 40]))
        >>> waveform.shape, lengths.numpy().tolist()
        (TensorShape([2, 80]), [80, 40])

    Reference:
        Ko et al., "Audio augmentation for speech recognition", Interspeech 2015 (speed).
    """

    def __init__(
        self,
        speed: float = 0.1,
        shift: int = 1600,
        gain: float = 6.0,
        noise: float | None = -10.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if speed < 0 or shift < 0 or gain < 0:
            raise ValueError(f"`speed`, `shift` and `gain` must not be negative, got {speed}, {shift} and {gain}")
        self.speed, self.shift, self.gain, self.noise, self.seed = speed, shift, gain, noise, seed
        self.random = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # the length of a batch is random

    def call(self, waveform: tf.Tensor, lengths: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        lengths = tf.cast(lengths, tf.int32)
        if not training:
            return waveform, lengths
        # Transforms of nothing would abort the process.
        return tf.cond(tf.size(waveform) > 0, lambda: self._varied(waveform, lengths), lambda: (waveform, lengths))

    def _varied(self, waveform: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        waveform, lengths = self._moved(waveform, lengths)
        if self.noise is not None:
            waveform += self._noise(waveform, lengths, self.noise)
        level = 10.0 ** (self._uniform(waveform, -self.gain, self.gain) / 20)
        real = tf.sequence_mask(lengths, tf.shape(waveform)[1], waveform.dtype)
        return tf.clip_by_value(waveform * level, -1.0, 1.0) * real, lengths

    def _uniform(self, waveform: tf.Tensor, low: float | tf.Tensor, high: float | tf.Tensor) -> tf.Tensor:
        """One random number per clip, (batch, 1)."""
        return keras.random.uniform([tf.shape(waveform)[0], 1], low, high, seed=self.random)

    def _moved(self, waveform: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Clips at another speed with silence around them, and their lengths."""
        samples = tf.shape(waveform)[1]
        before, after = (self._uniform(waveform, 0.0, float(self.shift)) for _ in range(2))
        if not self.speed:
            return _between(before[:, 0], waveform, lengths, after[:, 0])
        # Faster and slower are equally likely: the logarithm is uniform.
        limit = tf.math.log(1.0 + self.speed)
        speed = tf.exp(self._uniform(waveform, -limit, limit))
        lengths = lengths[:, None]
        new_lengths = tf.cast(tf.cast(lengths, tf.float32) / speed + before + after, tf.int32)
        longest = tf.reduce_max(new_lengths)
        place = (tf.range(tf.cast(longest, tf.float32))[None] - before) * speed
        floor = tf.floor(place)
        left = tf.cast(floor, tf.int32)

        def sample(index: tf.Tensor) -> tf.Tensor:
            inside = (index >= 0) & (index < lengths)
            return tf.gather(waveform, tf.clip_by_value(index, 0, samples - 1), batch_dims=1) * tf.cast(
                inside, waveform.dtype
            )

        moved = sample(left) + (place - floor) * (sample(left + 1) - sample(left))  # linear interpolation
        return moved, new_lengths[:, 0]

    def _noise(self, waveform: tf.Tensor, lengths: tf.Tensor, loudest: float) -> tf.Tensor:
        """Noise of power 1 / f^colour, at most `loudest` dB above each clip."""
        batch, samples = tf.unstack(tf.shape(waveform))
        # A Fourier transform is several times as fast if the length has no large prime factor.
        longer = tf.maximum(1, -(-samples // _SMOOTH)) * _SMOOTH
        logarithm = tf.math.log(tf.range(1.0, tf.cast(longer // 2, tf.float32) + 2))[None]
        # Random phases alone give noise, in a third of the time that random samples would take.
        phase = keras.random.uniform([batch, longer // 2 + 1], 0.0, 2 * math.pi, seed=self.random)
        size = tf.exp(-self._uniform(waveform, 0.0, 2.0) / 2 * logarithm)
        noise = tf.signal.irfft(tf.complex(size * tf.cos(phase), size * tf.sin(phase)), [longer])[:, :samples]
        loudness = self._uniform(waveform, loudest - 40, loudest)
        power = tf.reduce_sum(tf.square(waveform), axis=1, keepdims=True) / tf.cast(
            tf.maximum(lengths, 1)[:, None], tf.float32
        )
        wanted = tf.sqrt(power) * 10.0 ** (loudness / 20)
        return noise * wanted * tf.math.rsqrt(tf.reduce_mean(tf.square(noise), axis=1, keepdims=True) + 1e-20)

    def compute_output_spec(
        self, waveform: Any, lengths: Any, training: bool = False
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        varied = keras.KerasTensor((waveform.shape[0], None), self.compute_dtype)
        return varied, keras.KerasTensor(lengths.shape, "int32")

    def get_config(self) -> dict[str, Any]:
        names = ("speed", "shift", "gain", "noise", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _between(
    before: tf.Tensor, waveform: tf.Tensor, lengths: tf.Tensor, after: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Clips with the given numbers of silent samples before and after them, (batch,) each, and their lengths.

    Rows are copied whole, in a quarter of the time that gathering each sample would take.
    """
    before, after = tf.cast(before, tf.int32), tf.cast(after, tf.int32)
    silence = tf.RaggedTensor.from_row_lengths(tf.zeros([tf.reduce_sum(before)], waveform.dtype), before)
    clips = tf.RaggedTensor.from_tensor(waveform, tf.cast(lengths, tf.int64)).with_row_splits_dtype(tf.int32)
    new_lengths = before + tf.cast(lengths, tf.int32) + after
    shape = tf.stack([tf.shape(waveform)[0], tf.reduce_max(new_lengths)])
    return tf.concat([silence, clips], axis=1).to_tensor(shape=shape), new_lengths
