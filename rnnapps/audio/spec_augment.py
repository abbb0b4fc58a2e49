"""Parts of a spectrogram masked in training, so that a model does not rely on any single one of them."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class SpecAugment(keras.layers.Layer):
    """Sets random stretches of time and of frequency to zero, the mean of a normalised spectrogram, in training only.

    Args:
        time: Longest stretch of time, in steps.
        frequency: Widest stretch of frequency, in bands.
        masks: Number of stretches of each kind per clip.
        seed: Seed of the random stretches; None draws one.

    Call arguments:
        frames: Float `(batch, time, bands)`.
        training: Whether to mask anything.

    Returns:
        Frames of the same shape.

    Raises:
        ValueError: An argument is negative.

    Example:
        >>> SpecAugment(time=5, frequency=3)(tf.ones((2, 40, 20)), training=True).shape
        TensorShape([2, 40, 20])

    Reference:
        Park et al., "SpecAugment: A simple data augmentation method for automatic speech recognition", 2019,
        section 2 (without time warping).
    """

    def __init__(
        self, time: int = 10, frequency: int = 6, masks: int = 2, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if time < 0 or frequency < 0 or masks < 0:
            raise ValueError(
                f"`time`, `frequency` and `masks` must not be negative, got {time}, {frequency} and {masks}"
            )
        self.time, self.frequency, self.masks, self.seed = time, frequency, masks, seed
        self.random = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, frames: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training:
            return frames
        batch, steps, bands = tf.unstack(tf.shape(frames))
        for _ in range(self.masks):
            frames *= tf.cast(self._kept(batch, steps, self.time), frames.dtype)[:, :, None]
            frames *= tf.cast(self._kept(batch, bands, self.frequency), frames.dtype)[:, None, :]
        return frames

    def _kept(self, batch: tf.Tensor, size: tf.Tensor, widest: int) -> tf.Tensor:
        """Boolean (batch, size), False in one stretch of 0 to `widest` places."""
        draw = keras.random.uniform([2, batch, 1], seed=self.random)
        places = tf.cast(size, tf.float32)
        width = tf.floor(draw[0] * (tf.minimum(float(widest), places) + 1))
        begin = tf.floor(draw[1] * (places - width + 1))
        place = tf.range(places)[None]
        return (place < begin) | (place >= begin + width)

    def compute_output_shape(self, frames_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return frames_shape

    def get_config(self) -> dict[str, Any]:
        names = ("time", "frequency", "masks", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
