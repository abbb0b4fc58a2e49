"""Parts of a spectrogram hidden while a model trains, so that it learns to do without any one of them."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class SpecAugment(keras.layers.Layer):
    """Sets random stretches of time and of frequency to zero, the mean of a normalised spectrogram, in training only.

    Args:
        time: longest stretch of time, in steps.
        frequency: widest stretch of frequency, in bands.
        masks: how many of each a clip.

    Call arguments:
        frames: float (batch, time, bands).
        training: whether to hide anything.

    Reference:
        Park et al., "SpecAugment: A simple data augmentation method for automatic speech recognition", 2019,
        section 2 (without time warping).
    """

    def __init__(self, time: int = 10, frequency: int = 6, masks: int = 2, seed=None, **kwargs):
        super().__init__(**kwargs)
        if time < 0 or frequency < 0 or masks < 0:
            raise ValueError(f"time, frequency and masks must not be negative, got {time}, {frequency}, {masks}")
        self.time, self.frequency, self.masks, self.seed = time, frequency, masks, seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, frames, training=False):
        if not training:
            return frames
        batch, steps, bands = tf.unstack(tf.shape(frames))
        for _ in range(self.masks):
            frames *= tf.cast(self._kept(batch, steps, self.time), frames.dtype)[:, :, None]
            frames *= tf.cast(self._kept(batch, bands, self.frequency), frames.dtype)[:, None, :]
        return frames

    def _kept(self, batch, size, widest):
        """Bool (batch, size), False in one stretch of 0 to `widest` places."""
        draw = keras.random.uniform([2, batch, 1], seed=self.random)
        size_ = tf.cast(size, tf.float32)
        width = tf.floor(draw[0] * (tf.minimum(float(widest), size_) + 1))
        begin = tf.floor(draw[1] * (size_ - width + 1))
        place = tf.range(size_)[None]
        return (place < begin) | (place >= begin + width)

    def compute_output_shape(self, frames_shape):
        return frames_shape

    def get_config(self):
        names = ("time", "frequency", "masks", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
