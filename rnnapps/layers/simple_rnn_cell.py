"""One step of the plain recurrent network."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.recurrent_cell import (
    Activation,
    Constraint,
    Initializer,
    RecurrentCell,
    Regularizer,
    Shape,
    Tensor,
    is_tanh,
)
from rnnapps.layers.units import positive_units


@keras.saving.register_keras_serializable("rnnapps")
class SimpleRNNCell(RecurrentCell):
    """One step of the plain (Elman) recurrent network, as `keras.layers.SimpleRNNCell`, with an optional output layer.

        h_t = tanh(x_t W + h_{t-1} U + b)
        y_t = h_t W_y + b_y        with `output_units`, otherwise y_t = h_t

    `kernel` is W, `(features, units)`, `recurrent_kernel` U, `(units, units)`, `bias` b, `(units,)`; with
    `output_units`, `output_kernel` is W_y, `(units, output_units)`, and `output_bias` b_y, `(output_units,)`.

    Args:
        units: Size of the hidden state.
        activation: Used in place of tanh.
        use_bias: Whether there is b (and b_y).
        kernel_initializer, recurrent_initializer, bias_initializer: How the weights are initialised.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after each update, or None.
        dropout: Share of the inputs that is dropped in training, with one mask per sequence.
        recurrent_dropout: The same for the hidden state where it enters the recurrent product.
        seed: Makes the dropout masks repeatable.
        output_units: Size of y_t, or None to return h_t. W_y and b_y start and are regularised as W and b are.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        sequence: `(batch, features)`, the inputs of one step; the name is Keras's.
        states: `[h]`, or `h` alone, `(batch, units)`; the new state comes back in the same form.
        training: Whether dropout is on.

    Returns:
        `(y_t, [h_t])`.

    Raises:
        ValueError: If `output_units` is not positive.

    Example:

    >>> cell = SimpleRNNCell(4, output_units=2)
    >>> y, [h] = cell(np.ones((3, 5), "float32"), cell.get_initial_state(3))
    >>> y.shape, h.shape
    (TensorShape([3, 2]), TensorShape([3, 4]))

    Reference:
        Elman, Finding structure in time, Cognitive Science 14 (1990), section "Networks with memory".
    """

    _seeded_first = True  # as in Keras's cell

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        *,
        output_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        output_units = None if output_units is None else positive_units(output_units, "output_units")
        super().__init__(
            units,
            activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            **kwargs,
        )
        self.output_units = None if output_units is None else int(output_units)
        self.output_size = self.output_units or self.units

    def build(self, input_shape: Shape) -> None:
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

    def call(self, sequence: Tensor, states: Any, training: bool = False) -> tuple[Tensor, Any]:
        (h,) = keras.tree.flatten(states)
        x_W = keras.ops.matmul(self.drop_inputs(sequence, training), self.kernel)
        if self.bias is not None:
            x_W = keras.ops.add(x_W, self.bias)
        h_U = keras.ops.matmul(self.drop_state(h, training), self.recurrent_kernel)
        h = self.activation(x_W + h_U)  # h_t
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
