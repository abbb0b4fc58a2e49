"""Convolution over time and frequency that can be fed chunk by chunk."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable("rnnapps")
class TimeConvolution(keras.layers.Layer):
    """A 2D convolution, causal in time, with layer normalisation and ReLU.

    A step comes every `strides[0]` input steps and sees the last `kernel_size[0]` of them; zeros precede the first
    step. So t steps become floor(t / strides[0]), and chunks fed to `stream` give the steps of the whole. A step is
    normalised over its frequencies and channels together: where there is only noise, the step stays weak beside the
    bands of the voice.

    Args:
        filters: Number of output channels.
        kernel_size: Size of the kernel, `(time, frequency)`.
        strides: Steps from one output to the next, `(time, frequency)`.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        sequences: Float `(batch, time, frequency, channels)`.
        mask: Boolean `(batch, time)`, False only at the end of a sequence; or None. The mask of the outputs is
            `compute_mask(sequences, mask)`; an output step is real where the last input step that it sees is.

    Returns:
        Float `(batch, floor(time / strides[0]), ceil(frequency / strides[1]), filters)`.

    Raises:
        ValueError: A stride in time is larger than the kernel.

    Example:
        >>> layer = TimeConvolution(8, kernel_size=(5, 3), strides=(2, 2))
        >>> layer(tf.zeros((1, 101, 40, 1))).shape
        TensorShape([1, 50, 20, 8])
    """

    def __init__(
        self, filters: int, kernel_size: tuple[int, int] = (5, 5), strides: tuple[int, int] = (2, 2), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.filters, self.kernel_size, self.strides = filters, tuple(kernel_size), tuple(strides)
        self.past = kernel_size[0] - strides[0]
        if self.past < 0:
            raise ValueError(
                f"`strides` must not be larger than `kernel_size` in time, got {strides} and {kernel_size}"
            )
        self.convolution = keras.layers.Conv2D(filters, kernel_size, strides, use_bias=False, dtype=self.dtype_policy)
        self.normalisation = keras.layers.LayerNormalization(axis=(-2, -1), dtype=self.dtype_policy)
        self.supports_masking = True

    def build(self, sequences_shape: Shape) -> None:
        *_, frequencies, channels = sequences_shape
        if frequencies is None or channels is None:
            raise ValueError(f"the numbers of frequencies and channels must be known, got the shape {sequences_shape}")
        self.frequencies, self.channels = frequencies, channels
        # Padding in frequency that keeps every stride-th band at the centre of the kernel.
        bands = -(-self.frequencies // self.strides[1])
        missing = max((bands - 1) * self.strides[1] + self.kernel_size[1] - self.frequencies, 0)
        self.edges = [missing // 2, missing - missing // 2]
        self.convolution.build((None, None, self.frequencies + missing, self.channels))
        self.normalisation.build((None, None, bands, self.filters))

    def call(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        return self.stream(sequences, self.initial_state(tf.shape(sequences)[0]))[0]

    def initial_state(self, batch_size: int | tf.Tensor) -> tf.Tensor:
        """The zeros before the first step, `(batch, kernel_size[0] - strides[0], frequency, channels)`."""
        return tf.zeros([batch_size, self.past, self.frequencies, self.channels], self.compute_dtype)

    def stream(self, chunk: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Computes the steps that a chunk completes.

        Args:
            chunk: Float `(batch, steps, frequency, channels)`, any number of steps.
            state: From `initial_state` or the previous call.

        Returns:
            The steps, and the new state: the input steps that later outputs need.
        """
        inputs = tf.concat([state, tf.cast(chunk, self.compute_dtype)], axis=1)
        stride = self.strides[0]
        steps = (tf.shape(inputs)[1] - self.past) // stride
        # Some devices' kernels refuse an empty convolution, so one more step of zeros is computed and dropped.
        # Others give the outputs of an empty batch the shape of the inputs.
        outputs = self.convolution(tf.pad(inputs, [[0, 0], [0, stride], self.edges, [0, 0]]))
        bands = -(-self.frequencies // self.strides[1])
        outputs = tf.reshape(outputs, [tf.shape(inputs)[0], steps + 1, bands, self.filters])[:, :-1]
        return keras.ops.relu(self.normalisation(outputs)), inputs[:, steps * stride :]

    def compute_mask(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor | None:
        return None if mask is None else mask[:, self.strides[0] - 1 :: self.strides[0]]

    def compute_output_shape(self, sequences_shape: Shape) -> Shape:
        batch, time, frequency, _ = sequences_shape
        steps = None if time is None else time // self.strides[0]
        bands = None if frequency is None else -(-frequency // self.strides[1])
        return batch, steps, bands, self.filters

    def get_config(self) -> dict[str, Any]:
        names = ("filters", "kernel_size", "strides")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
