"""Another voice, another pace, another microphone: augmentation of log-mel frames in training."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class VoiceAugmentation(keras.layers.Layer):
    """Stretches time and frequencies of each clip and colours it, in training only.

    Some people speak faster than others at the same pitch. The resonances of a shorter vocal tract lie higher. A
    microphone and a room raise some frequencies and lower others, in all frames alike:

        y_b = z_(a b) + sum_k c_k cos(pi k (b + 1/2) / bands),   log a uniform, c_k normal, k = 0 .. 4

    Args:
        tempo: Largest change of pace: 0.3 makes clips 1/1.3 to 1.3 times as long.
        warp: Largest stretch of the band numbers: 0.1 multiplies them by 1/1.1 to 1.1. VTLP multiplies frequencies. On
            mel bands from 0 to 8 kHz, the factor 1.1 moves 160 Hz up by 6 %, 1.2 kHz by 15 % and 5.5 kHz by 26 %.
        channel: Standard deviation of the colouring's coefficients, in units of normalised log-mel.
        seed: Seed of the variation; None draws one.

    Call arguments:
        frames: Float `(batch, time, bands)`, normalised.
        mask: Boolean `(batch, time)`, False only at the end of a clip.
        training: Whether to augment.

    Returns:
        The frames `(batch, new time, bands)`, and their mask `(batch, new time)`.

    Raises:
        ValueError: An argument is negative.

    Example:
        >>> frames, mask = VoiceAugmentation(tempo=0.0)(tf.ones((2, 7, 40)), tf.fill((2, 7), True), training=True)
        >>> frames.shape, mask.shape
        (TensorShape([2, 7, 40]), TensorShape([2, 7]))

    Reference:
        Jaitly and Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition", ICML workshop 2013.
    """

    def __init__(
        self, tempo: float = 0.2, warp: float = 0.1, channel: float = 0.3, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if tempo < 0 or warp < 0 or channel < 0:
            raise ValueError(f"`tempo`, `warp` and `channel` must not be negative, got {tempo}, {warp} and {channel}")
        self.tempo, self.warp, self.channel, self.seed = tempo, warp, channel, seed
        self.random = keras.random.SeedGenerator(seed)
        self.supports_masking = True
        self.supports_jit = False  # the length of a batch is random

    def call(self, frames: tf.Tensor, mask: tf.Tensor, training: bool = False) -> tuple[tf.Tensor, tf.Tensor]:
        if not training:
            return frames, mask
        batch, bands = tf.shape(frames)[0], frames.shape[2]
        band = tf.range(float(bands))
        # Linear interpolation as a product with one matrix per clip: weight 1 - |distance|, (batch, from, to).
        place = tf.minimum(self._factor(batch, self.warp) * band, float(bands - 1))
        weights = tf.maximum(0.0, 1 - tf.abs(band[None, :, None] - place[:, None, :]))
        waves = tf.cos(math.pi * tf.range(5.0)[:, None] * (band + 0.5) / float(bands))
        colour = self.channel * keras.random.normal([batch, 5], seed=self.random) @ waves
        varied = tf.matmul(tf.cast(frames, tf.float32), weights) + colour[:, None]
        varied, mask = self._stretched(varied, mask)
        return tf.cast(varied, frames.dtype), mask

    def _factor(self, batch: tf.Tensor, largest: float) -> tf.Tensor:
        """One factor per clip, (batch, 1), as likely above 1 as below."""
        limit = math.log(1 + largest)
        return tf.exp(keras.random.uniform([batch, 1], -limit, limit, seed=self.random))

    def _stretched(self, frames: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pace = self._factor(tf.shape(frames)[0], self.tempo)
        lengths = tf.reduce_sum(tf.cast(mask, tf.float32), axis=1, keepdims=True)
        place = tf.range(tf.math.ceil(tf.reduce_max(lengths / pace)))[None] * pace
        left = tf.floor(place)
        last = tf.maximum(tf.cast(lengths, tf.int32) - 1, 0)
        before, after = (
            tf.gather(frames, tf.minimum(tf.cast(index, tf.int32), last), batch_dims=1) for index in (left, left + 1)
        )
        return before + (place - left)[..., None] * (after - before), place < lengths

    def compute_mask(self, *_: Any, **__: Any) -> None:
        return None  # the mask is an output

    def compute_output_shape(
        self, frames_shape: tuple[int | None, ...], mask_shape: tuple[int | None, ...] | None = None
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        return (frames_shape[0], None, frames_shape[2]), (frames_shape[0], None)

    def compute_output_spec(
        self, frames: Any, mask: Any, training: bool = False
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        varied, new_mask = self.compute_output_shape(frames.shape)
        return keras.KerasTensor(varied, frames.dtype), keras.KerasTensor(new_mask, "bool")

    def get_config(self) -> dict[str, Any]:
        names = ("tempo", "warp", "channel", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
