"""Waveforms to log-mel spectrograms in the graph, whole or chunk by chunk."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

FLOOR = 1e-6  # added to the power of a band: about the noise of samples of 16 bits, which counts as silence


@keras.saving.register_keras_serializable("rnnapps")
class LogMel(keras.layers.Layer):
    """Logarithms of the power in mel bands, frame by frame, normalised with statistics of training data.

    A frame comes every `hop` samples and sees the last `window` samples up to there; before the first sample there is
    silence. So n samples give floor(n / hop) frames, no frame depends on later samples, and chunks fed one after
    another to `stream` give the frames of the whole.

        X_t = DFT(hann * x[t*hop - window : t*hop]),   y_t = log(M |X_t|^2 + 1e-6),   z_t = (y_t - mean) / deviation

    Args:
        sample_rate: Sample rate of the waveforms, in Hz.
        bands: Number of mel bands.
        window_seconds: Length of a frame; 25 ms is usual for speech.
        hop_seconds: Time from one frame to the next.
        lowest: Lower end of the bands, in Hz.
        highest: Upper end of the bands, in Hz; None for half the sample rate, at most 7,600 Hz.

    Call arguments:
        waveform: Float `(batch, samples)`, from -1 to 1.
        lengths: Integer `(batch,)`, the number of real samples of each waveform; None if all samples are real.

    Returns:
        The frames, float32 `(batch, floor(samples / hop), bands)`, and their mask, boolean
        `(batch, floor(samples / hop))`, True at frames whose samples are all real.

    Raises:
        ValueError: The frames or the bands are impossible at this sample rate.

    Reference:
        Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", 1980;
        mel scale of the HTK Book, section 5.4. The bands are those of `librosa.filters.mel(htk=True, norm=None)`.

    Example:
        >>> frames, mask = LogMel(16000)(np.zeros((2, 16000), "float32"), np.array([16000, 800]))
        >>> frames.shape, np.sum(mask, axis=1).tolist()
        (TensorShape([2, 100, 40]), [100, 5])
    """

    def __init__(
        self,
        sample_rate: int,
        bands: int = 40,
        window_seconds: float = 0.025,
        hop_seconds: float = 0.01,
        lowest: float = 20.0,
        highest: float | None = None,
        **kwargs: Any,
    ) -> None:
        # Powers span twelve decades, too many for half precision.
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.sample_rate, self.bands = sample_rate, bands
        self.window_seconds, self.hop_seconds = window_seconds, hop_seconds
        self.lowest, self.highest = lowest, highest
        self.window, self.hop = round(window_seconds * sample_rate), round(hop_seconds * sample_rate)
        if not 1 <= self.hop <= self.window:
            raise ValueError(f"`hop_seconds` must be from one sample to `window_seconds`, got {hop_seconds}")
        self.fft_length = 2 ** math.ceil(math.log2(self.window))
        if bands * self.fft_length > 2**24:
            raise ValueError(
                f"sample_rate, window_seconds and bands ask for a filter bank of {bands} x {self.fft_length} values: "
                f"reduce one of them, got {sample_rate}, {window_seconds} and {bands}"
            )
        self.top = min(7600.0, sample_rate / 2) if highest is None else highest
        if not 0 <= lowest < self.top <= sample_rate / 2:
            raise ValueError(
                f"`lowest` and `highest` must lie between 0 and {sample_rate / 2} Hz, got {lowest} and {self.top}"
            )
        self.hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)).astype("float32")
        self.filters = mel_filters(sample_rate, self.fft_length, bands, lowest, self.top)
        self._as_product = True

    def build(self, *_: Any) -> None:
        self.mean = self.add_weight(name="mean", shape=(self.bands,), initializer="zeros", trainable=False)
        self.deviation = self.add_weight(name="deviation", shape=(self.bands,), initializer="ones", trainable=False)
        self.built = True

    def adapt(self, waveforms: Iterable[tuple[tf.Tensor, tf.Tensor | None]]) -> None:
        """Learns the mean and the standard deviation of each band.

        Args:
            waveforms: Pairs of a batch of waveforms and their lengths, as a call takes them.

        Raises:
            ValueError: No waveform is as long as the time from one frame to the next.
        """
        if not self.built:
            self.build()
        count, total, squares = 0, np.zeros(self.bands), np.zeros(self.bands)
        spectrum = tf.function(self.spectrum, reduce_retracing=True)
        for waveform, lengths in waveforms:
            frames = spectrum(tf.pad(waveform, [[0, 0], [self.window - self.hop, 0]])).numpy()
            frames = frames[self.mask(frames.shape[1], lengths).numpy()].astype("float64")
            count += len(frames)
            total += frames.sum(axis=0)
            squares += np.square(frames).sum(axis=0)
        if not count:
            raise ValueError(
                f"every waveform is shorter than a frame step of {self.hop} samples: use longer recordings"
            )
        self.mean.assign(total / count)
        variance = squares / count - np.square(total / count)
        # A band that hardly varies (for example, one that is empty at a low sample rate) must not become the loudest.
        self.deviation.assign(np.sqrt(np.maximum(variance, 0.25)))

    def call(self, waveform: tf.Tensor, lengths: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        frames, _ = self.stream(waveform, self.initial_state(tf.shape(waveform)[0]))
        return frames, self.mask(tf.shape(frames)[1], lengths, tf.shape(frames)[0])

    def mask(
        self, steps: int | tf.Tensor, lengths: tf.Tensor | None, batch_size: int | tf.Tensor | None = None
    ) -> tf.Tensor:
        """Boolean `(batch, steps)`, which frames are real, given the number of real samples of each clip or None."""
        if lengths is None:
            return tf.ones([batch_size, steps], tf.bool)
        return tf.sequence_mask(tf.cast(lengths, tf.int32) // self.hop, steps)

    def initial_state(self, batch_size: int | tf.Tensor) -> tf.Tensor:
        """The silence before the first sample, float `(batch, window - hop)`."""
        return tf.zeros([batch_size, self.window - self.hop])

    def stream(self, chunk: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the frames that a chunk completes.

        Args:
            chunk: Float `(batch, samples)`, any number of samples, 0 included.
            state: The samples that later frames need, from `initial_state` or the previous call.

        Returns:
            The frames `(batch, time, bands)`, and the new state `(batch, samples still needed)`.
        """
        samples = tf.concat([tf.cast(state, tf.float32), tf.cast(chunk, tf.float32)], axis=1)
        frames = (self.spectrum(samples) - self.mean) / self.deviation
        return frames, samples[:, tf.shape(frames)[1] * self.hop :]

    def spectrum(self, samples: tf.Tensor) -> tf.Tensor:
        """Frames without normalisation and without the silence before: `(batch, samples)` to `(batch, time, bands)`."""
        frames = self._frames(samples) * tf.constant(self.hann)
        # rfft pads as well, but not if there are no frames.
        frames = tf.pad(frames, [[0, 0], [0, 0], [0, self.fft_length - self.window]])
        power = tf.square(tf.abs(tf.signal.rfft(frames)))
        return tf.math.log(self._banded(power, tf.constant(self.filters)) + FLOOR)

    def place(self, frequency: float) -> float:
        """Maps a frequency in Hz to an axis on which band b, counted from 0, spans b to b + 1."""
        low, high = _to_mel(self.lowest), _to_mel(self.top)
        return (_to_mel(frequency) - low) / (high - low) * (self.bands + 1) - 0.5

    def _banded(self, power: tf.Tensor, filters: tf.Tensor) -> tf.Tensor:
        if self._as_product:
            return tf.matmul(power, filters)
        return tf.reduce_sum(power[..., None] * filters, axis=-2)

    @contextlib.contextmanager
    def without_product(self) -> Iterator[None]:
        """Within this context, graphs are traced without the matrix product that sums the bands.

        For LiteRT, which rounds both factors of a product to eight bits, too few for powers of twelve decades. Takes
        `bands` times the memory.
        """
        self._as_product = False
        try:
            yield
        finally:
            self._as_product = True

    def _frames(self, samples: tf.Tensor) -> tf.Tensor:
        """Overlapping frames, assembled from pieces whose length divides both the window and the hop."""
        piece = math.gcd(self.window, self.hop)
        batch, size = tf.unstack(tf.shape(samples))
        count = tf.maximum((size - self.window) // self.hop + 1, 0)
        used = count * self.hop + self.window - self.hop
        pieces = tf.reshape(samples[:, :used], [batch, used // piece, piece])
        order = tf.range(count)[:, None] * (self.hop // piece) + tf.range(self.window // piece)
        return tf.reshape(tf.gather(pieces, order, axis=1), [batch, count, self.window])

    def compute_output_shape(
        self, waveform_shape: tuple[int | None, ...], lengths_shape: tuple[int | None, ...] | None = None
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        steps = None if waveform_shape[1] is None else waveform_shape[1] // self.hop
        return (waveform_shape[0], steps, self.bands), (waveform_shape[0], steps)

    def compute_output_spec(self, waveform: Any, lengths: Any = None) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        frames, mask = self.compute_output_shape(waveform.shape)
        return keras.KerasTensor(frames, self.compute_dtype), keras.KerasTensor(mask, "bool")

    def get_config(self) -> dict[str, Any]:
        names = ("sample_rate", "bands", "window_seconds", "hop_seconds", "lowest", "highest")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def mel_filters(sample_rate: int, fft_length: int, bands: int, lowest: float, highest: float) -> np.ndarray:
    """Triangles with corners evenly spaced in mel, float32 `(fft_length / 2 + 1, bands)`."""
    mel = np.linspace(_to_mel(lowest), _to_mel(highest), bands + 2)
    corners = 700 * (10 ** (mel / 2595) - 1)  # Hz
    frequency = np.arange(fft_length // 2 + 1)[:, None] * sample_rate / fft_length
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising, falling = (frequency - left) / (centre - left), (right - frequency) / (right - centre)
    return np.maximum(0, np.minimum(rising, falling)).astype("float32")


def _to_mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)
