"""Another mouth and another microphone: log-mel frames varied while a model trains."""

import math

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class VoiceAugmentation(keras.layers.Layer):
    """Stretches the frequencies of each clip and colours them; passes frames on as they are outside training.

    Where a vocal tract is shorter, its resonances lie higher, all by one factor; a microphone and a room raise some
    frequencies and lower others, in every frame alike:

        y_b = z_(a b) + sum_k c_k cos(pi k (b + 1/2) / bands),   log a uniform, c_k normal, k = 0 .. 4

    Args:
        warp: largest stretch: 0.15 moves bands by factors from 1/1.15 to 1.15.
        channel: deviation of the colouring's coefficients, in units of normalised log-mel.

    Call arguments:
        frames: float (batch, time, bands), normalised.
        training: whether to vary.

    Reference:
        Jaitly and Hinton, "Vocal tract length perturbation (VTLP) improves speech recognition", ICML workshop 2013.
    """

    def __init__(self, warp: float = 0.1, channel: float = 0.3, seed=None, **kwargs):
        super().__init__(**kwargs)
        if warp < 0 or channel < 0:
            raise ValueError(f"warp and channel must not be negative, got {warp}, {channel}")
        self.warp, self.channel, self.seed = warp, channel, seed
        self.random = keras.random.SeedGenerator(seed)

    def call(self, frames, training=False):
        if not training:
            return frames
        batch, bands = tf.shape(frames)[0], frames.shape[2]
        band = tf.range(float(bands))
        limit = math.log(1 + self.warp)
        stretch = tf.exp(keras.random.uniform([batch, 1], -limit, limit, seed=self.random))
        # Linear interpolation as a product with a matrix a clip: weight 1 - |distance|, (batch, from, to).
        place = tf.minimum(stretch * band, float(bands - 1))
        weights = tf.maximum(0.0, 1 - tf.abs(band[None, :, None] - place[:, None, :]))
        waves = tf.cos(math.pi * tf.range(5.0)[:, None] * (band + 0.5) / float(bands))
        colour = self.channel * keras.random.normal([batch, 5], seed=self.random) @ waves
        return tf.cast(tf.matmul(tf.cast(frames, tf.float32), weights) + colour[:, None], frames.dtype)

    def compute_output_shape(self, frames_shape):
        return frames_shape

    def get_config(self):
        return {**super().get_config(), "warp": self.warp, "channel": self.channel, "seed": self.seed}
