"""Convolution over time and frequency that can be fed chunk by chunk."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class TimeConvolution(keras.layers.Layer):
    """A 2D convolution, causal in time, with layer normalisation and ReLU.

    A step comes every `stride` input steps and sees the last `kernel` of them; before the first lie zeros. So t steps
    become floor(t / stride), and chunks fed to `stream` give the steps of the whole. A step is normalised over its
    frequencies and channels together: where there is only noise, it stays weak beside the bands of the voice.

    Args:
        filters: number of output channels.
        kernel: (time, frequency), both sizes in steps.
        stride: (time, frequency).

    Call arguments:
        sequences: float (batch, time, frequency, channels).
        mask: bool (batch, time), False only at the end of a sequence; or None.

    Output:
        float (batch, floor(time / stride), frequency / stride rounded up, filters), and its mask or None.

    Example:
        >>> layer = TimeConvolution(8, kernel=(5, 3), stride=(2, 2))
        >>> layer(tf.zeros((1, 101, 40, 1)))[0].shape
        TensorShape([1, 50, 20, 8])
    """

    def __init__(self, filters: int, kernel: tuple[int, int] = (5, 5), stride: tuple[int, int] = (2, 2), **kwargs):
        super().__init__(**kwargs)
        self.filters, self.kernel, self.stride = filters, tuple(kernel), tuple(stride)
        self.past = kernel[0] - stride[0]
        if self.past < 0:
            raise ValueError(f"stride must not be larger than kernel in time, got {stride} and {kernel}")
        self.convolution = keras.layers.Conv2D(filters, kernel, stride, use_bias=False, dtype=self.dtype_policy)
        self.normalisation = keras.layers.LayerNormalization(axis=(-2, -1), dtype=self.dtype_policy)
        self.supports_masking = True

    def build(self, sequences_shape):
        _, _, self.frequencies, self.channels = sequences_shape
        # Padding in frequency that keeps every stride-th band under the middle of the kernel.
        bands = -(-self.frequencies // self.stride[1])
        missing = max((bands - 1) * self.stride[1] + self.kernel[1] - self.frequencies, 0)
        self.edges = [missing // 2, missing - missing // 2]
        self.convolution.build((None, None, self.frequencies + missing, self.channels))
        self.normalisation.build((None, None, bands, self.filters))

    def call(self, sequences, mask=None):
        steps, _ = self.stream(sequences, self.initial_state(tf.shape(sequences)[0]))
        # A step is real where the last input step that it sees is.
        return steps, None if mask is None else mask[:, self.stride[0] - 1 :: self.stride[0]]

    def initial_state(self, batch_size):
        """The zeros before the first step, float (batch, kernel - stride, frequency, channels)."""
        return tf.zeros([batch_size, self.past, self.frequencies, self.channels], self.compute_dtype)

    def stream(self, chunk, state):
        """Steps that a chunk completes, and the new state: the input steps not done with; see `LogMel.stream`."""
        inputs = tf.concat([state, tf.cast(chunk, self.compute_dtype)], axis=1)
        stride = self.stride[0]
        steps = (tf.shape(inputs)[1] - self.past) // stride
        # The kernels of some devices refuse to convolve nothing: one step more of zeros, and its output dropped.
        outputs = self.convolution(tf.pad(inputs, [[0, 0], [0, stride], self.edges, [0, 0]]))[:, :-1]
        return keras.ops.relu(self.normalisation(outputs)), inputs[:, steps * stride :]

    def compute_mask(self, sequences, mask=None):
        return None  # the mask is an output

    def compute_output_shape(self, sequences_shape):
        batch, time, frequency, _ = sequences_shape
        steps = None if time is None else time // self.stride[0]
        return (batch, steps, -(-frequency // self.stride[1]), self.filters)

    def get_config(self):
        return {**super().get_config(), "filters": self.filters, "kernel": self.kernel, "stride": self.stride}
