"""Another speaker, another room, another distance: waveforms varied while a model trains."""

import math

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class WaveformAugmentation(keras.layers.Layer):
    """Varies speed, position, gain and background of each clip; passes it on as it is outside training.

    Args:
        speed: clips are played up to this much faster or slower (0.1: from 1/1.1 to 1.1 times), which moves pitch and
            formants along as a larger or smaller speaker does.
        shift: longest silence put before and after a clip, in samples.
        gain: largest change of loudness, in dB up or down.
        noise: loudest background noise relative to the clip, in dB (-5: 5 dB below it); each clip draws a level
            from there down to 40 dB less, and a colour between white and brown. None for no noise.

    Call arguments:
        waveform: float (batch, samples).
        lengths: int (batch,), the real samples of each.
        training: whether to vary.

    Output:
        Waveform (batch, more samples) and lengths of the same kinds.

    Reference:
        Ko et al., "Audio augmentation for speech recognition", Interspeech 2015 (speed).
    """

    def __init__(
        self, speed: float = 0.1, shift: int = 1600, gain: float = 6.0, noise: float | None = -10.0, seed=None, **kwargs
    ):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if speed < 0 or shift < 0 or gain < 0:
            raise ValueError(f"speed, shift and gain must not be negative, got {speed}, {shift}, {gain}")
        self.speed, self.shift, self.gain, self.noise, self.seed = speed, shift, gain, noise, seed
        self.random = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # how long a batch becomes is drawn

    def call(self, waveform, lengths, training=False):
        if not training:
            return waveform, lengths
        waveform, lengths = self._moved(waveform, tf.cast(lengths, tf.int32))
        if self.noise is not None:
            waveform += self._noise(waveform, lengths)
        level = 10.0 ** (self._uniform(waveform, -self.gain, self.gain) / 20)
        real = tf.sequence_mask(lengths, tf.shape(waveform)[1], waveform.dtype)
        return tf.clip_by_value(waveform * level, -1.0, 1.0) * real, lengths

    def _uniform(self, waveform, low, high):
        """A number a clip, (batch, 1)."""
        return keras.random.uniform([tf.shape(waveform)[0], 1], low, high, seed=self.random)

    def _moved(self, waveform, lengths):
        samples = tf.shape(waveform)[1]
        before, after = (self._uniform(waveform, 0.0, float(self.shift)) for _ in range(2))
        # Faster and slower are equally likely: the logarithm is uniform.
        limit = tf.math.log(1.0 + self.speed)
        speed = tf.exp(self._uniform(waveform, -limit, limit))
        lengths = lengths[:, None]
        new_lengths = tf.cast(tf.cast(lengths, tf.float32) / speed + before + after, tf.int32)
        longest = tf.reduce_max(new_lengths)
        place = (tf.range(tf.cast(longest, tf.float32))[None] - before) * speed
        floor = tf.floor(place)
        left = tf.cast(floor, tf.int32)

        def sample(index):
            inside = (index >= 0) & (index < lengths)
            return tf.gather(waveform, tf.clip_by_value(index, 0, samples - 1), batch_dims=1) * tf.cast(
                inside, waveform.dtype
            )

        moved = sample(left) + (place - floor) * (sample(left + 1) - sample(left))  # linear interpolation
        return moved, new_lengths[:, 0]

    def _noise(self, waveform, lengths):
        """Noise of power 1 / f^colour with a level relative to each clip's."""
        batch, samples = tf.unstack(tf.shape(waveform))
        frequency = tf.range(1.0, tf.cast(samples // 2, tf.float32) + 2)[None]
        # Random phases alone make a noise, for a third of the time that random samples would take.
        phase = keras.random.uniform([batch, samples // 2 + 1], 0.0, 2 * math.pi, seed=self.random)
        size = frequency ** (-self._uniform(waveform, 0.0, 2.0) / 2)
        noise = tf.signal.irfft(tf.complex(size * tf.cos(phase), size * tf.sin(phase)), [samples])
        loudness = self._uniform(waveform, self.noise - 40, self.noise)
        power = tf.reduce_sum(tf.square(waveform), axis=1, keepdims=True) / tf.cast(
            tf.maximum(lengths, 1)[:, None], tf.float32
        )
        wanted = tf.sqrt(power) * 10.0 ** (loudness / 20)
        return noise * wanted * tf.math.rsqrt(tf.reduce_mean(tf.square(noise), axis=1, keepdims=True) + 1e-20)

    def get_config(self):
        names = ("speed", "shift", "gain", "noise", "seed")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
