"""One step of the long short-term memory."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.recurrent_cell import (
    Activation,
    Constraint,
    Initializer,
    RecurrentCell,
    Regularizer,
    Tensor,
    is_sigmoid,
    is_tanh,
)


@keras.saving.register_keras_serializable("rnnapps")
class LSTMCell(RecurrentCell):
    """One step of the long short-term memory, as `keras.layers.LSTMCell`.

    With x_t the inputs, h the hidden state, c the cell state, * the element-wise product and σ the sigmoid:

        i_t = σ(x_t W_i + h_{t-1} U_i + b_i)         input gate
        f_t = σ(x_t W_f + h_{t-1} U_f + b_f)         forget gate
        g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)      candidate
        o_t = σ(x_t W_o + h_{t-1} U_o + b_o)         output gate
        c_t = f_t * c_{t-1} + i_t * g_t
        h_t = o_t * tanh(c_t)

    `kernel` holds W_i, W_f, W_g, W_o side by side, `(features, 4 * units)`, `recurrent_kernel` the four U,
    `(units, 4 * units)`, `bias` the four b, `(4 * units,)`.

    Args:
        units: Size of either state.
        activation: Used in place of tanh.
        recurrent_activation: Used in place of σ.
        use_bias: Whether there are biases.
        kernel_initializer, recurrent_initializer, bias_initializer: How the weights are initialised.
        unit_forget_bias: Whether b_f starts at 1, so that an untrained cell remembers (Jozefowicz et al. 2015).
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after each update, or None.
        dropout: Share of the inputs that is dropped in training, with one mask per sequence.
        recurrent_dropout: The same for the hidden state where it enters the recurrent product.
        seed: Makes the dropout masks repeatable.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: `[h, c]`, each `(batch, units)`.
        training: Whether dropout is on.

    Returns:
        `(h_t, [h_t, c_t])`.

    Example:

    >>> cell = LSTMCell(4)
    >>> output, [h, c] = cell(np.ones((3, 5), "float32"), cell.get_initial_state(3))
    >>> output.shape, c.shape
    (TensorShape([3, 4]), TensorShape([3, 4]))

    Reference:
        Gers, Schmidhuber, Cummins, Learning to forget, Neural Computation 12 (2000), section 3;
        after Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9 (1997).
    """

    gates = 4
    state_count = 2

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
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
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def _start_bias(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        if not self.unit_forget_bias:
            return super()._start_bias(shape, dtype)
        b_i = self.bias_initializer((self.units,), dtype=dtype)
        b_f = keras.ops.ones((self.units,), dtype=dtype)
        b_g_and_b_o = self.bias_initializer((2 * self.units,), dtype=dtype)
        return keras.ops.concatenate([b_i, b_f, b_g_and_b_o])

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        gate = self.recurrent_activation
        x_W = keras.ops.matmul(self.drop_inputs(inputs, training), self.kernel)
        h_U = keras.ops.matmul(self.drop_state(h, training), self.recurrent_kernel)
        gates = x_W + h_U if self.bias is None else keras.ops.add(x_W + h_U, self.bias)
        i, f, g, o = keras.ops.split(gates, 4, axis=-1)

        c = gate(f) * c + gate(i) * self.activation(g)  # c_t
        h = gate(o) * self.activation(c)  # h_t
        return h, [h, c]

    @property
    def recurrence(self) -> str | None:
        return "lstm" if is_tanh(self.activation) and is_sigmoid(self.recurrent_activation) else None

    def get_cell_config(self) -> dict[str, Any]:
        recurrent_activation = keras.activations.serialize(self.recurrent_activation)
        return {**super().get_cell_config(), "recurrent_activation": recurrent_activation}
