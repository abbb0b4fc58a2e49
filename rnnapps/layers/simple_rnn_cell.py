"""One step of the plain recurrent network."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import keras

from rnnapps.layers.recurrent_cell import RecurrentCell, Tensor, is_tanh


@keras.saving.register_keras_serializable("rnnapps")
class SimpleRNNCell(RecurrentCell):
    """One step of the plain (Elman) recurrent network, with an output layer of its own if asked for.

    With x_t the inputs, h the hidden state and y_t the output:

        h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)
        y_t = W_hy h_t + b_y        with `output_units`, otherwise y_t = h_t

    `kernel` is W_xh `(features, units)`, `recurrent_kernel` W_hh `(units, units)`, `bias` b_h `(units,)`,
    `output_kernel` W_hy `(units, output_units)` and `output_bias` b_y `(output_units,)`.

    Args:
        units: Size of the hidden state.
        activation: In place of tanh.
        use_bias: Whether there is b_h (and b_y).
        output_units: Size of y_t, or None for y_t = h_t. W_hy takes the initializer, regularizer and constraint
            of the kernel, b_y those of the bias.
        **kwargs: Initializers, regularizers, constraints, `dropout`, `recurrent_dropout`, `seed`, of `RecurrentCell`.

    Call arguments:
        inputs: `(batch, features)`.
        states: `[h]`, or `h` alone, `(batch, units)`; the new state comes back in the same form.
        training: Whether dropout is on.

    Returns:
        `(y_t, [h_t])`.

    Example:

    >>> cell = SimpleRNNCell(4, output_units=2)
    >>> y, [h] = cell(np.ones((3, 5), "float32"), cell.get_initial_state(3))
    >>> y.shape, h.shape
    (TensorShape([3, 2]), TensorShape([3, 4]))

    Reference:
        Elman, Finding structure in time, Cognitive Science 14 (1990), section "Networks with memory".
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        *,
        output_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        if output_units is not None and (not isinstance(output_units, Integral) or output_units <= 0):
            raise ValueError(f"`output_units` must be a positive integer or None, got {output_units!r}")
        super().__init__(units, activation, use_bias, **kwargs)
        self.output_units = None if output_units is None else int(output_units)
        self.output_size = self.output_units or self.units

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        super().build(input_shape)
        self.output_kernel = self.output_bias = None
        if self.output_units:
            self.output_kernel = self._add_cell_weight(
                "output_kernel", (self.units, self.output_units), "kernel", self.kernel_initializer
            )
            if self.use_bias:
                self.output_bias = self._add_cell_weight(
                    "output_bias", (self.output_units,), "bias", self.bias_initializer
                )

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, Any]:
        (h,) = keras.tree.flatten(states)
        x = keras.ops.matmul(self.drop_inputs(inputs, training), self.kernel)
        if self.bias is not None:
            x = keras.ops.add(x, self.bias)
        h = self.activation(x + keras.ops.matmul(self.drop_state(h, training), self.recurrent_kernel))  # h_t
        return self.read_out(h), keras.tree.pack_sequence_as(states, [h])

    def read_out(self, h: Tensor) -> Tensor:
        """y_t `(..., output_units)` of h_t `(..., units)`; h_t itself without `output_units`."""
        if self.output_kernel is None:
            return h
        y = keras.ops.matmul(h, self.output_kernel)
        return y if self.output_bias is None else keras.ops.add(y, self.output_bias)

    @property
    def recurrence(self) -> str | None:
        return "rnn" if is_tanh(self.activation) else None
