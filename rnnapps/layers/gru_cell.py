"""One step of the gated recurrent unit."""

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
class GRUCell(RecurrentCell):
    """One step of the gated recurrent unit, as `keras.layers.GRUCell`.

    The update gate z does the work of the LSTM's forget and input gates, and one state h is both memory and output.
    With x_t the inputs, * the element-wise product and σ the sigmoid:

        r_t = σ(x_t W_r + h_{t-1} U_r + b_r)                        reset gate
        z_t = σ(x_t W_z + h_{t-1} U_z + b_z)                        update gate
        n_t = tanh(x_t W_n + b_n + r_t * (h_{t-1} U_n + b'_n))      new content, with `reset_after`
        n_t = tanh(x_t W_n + b_n + (r_t * h_{t-1}) U_n)             new content, without
        h_t = z_t * h_{t-1} + (1 - z_t) * n_t

    `kernel` holds W_z, W_r, W_n side by side, `(features, 3 * units)`, `recurrent_kernel` the three U,
    `(units, 3 * units)`. `bias` is `(3 * units,)`; with `reset_after` it is `(2, 3 * units)`, and its second row is
    added to the products with U.

    Args:
        units: Size of the state.
        activation: Used in place of tanh.
        recurrent_activation: Used in place of σ.
        use_bias: Whether there are biases.
        kernel_initializer, recurrent_initializer, bias_initializer: How the weights are initialised.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after each update, or None.
        dropout: Share of the inputs that is dropped in training, with one mask per sequence.
        recurrent_dropout: The same for the hidden state where it enters the recurrent product.
        reset_after: Whether the reset gate is applied after the recurrent product (one product per step, the form that
            cuDNN and PyTorch compute) or before it (the form of the paper).
        seed: Makes the dropout masks repeatable.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: `[h]`, or `h` alone, `(batch, units)`; the new state comes back in the same form.
        training: Whether dropout is on.

    Returns:
        `(h_t, [h_t])`.

    Example:

    >>> cell = GRUCell(4)
    >>> output, [h] = cell(np.ones((3, 5), "float32"), cell.get_initial_state(3))
    >>> output.shape
    TensorShape([3, 4])

    Reference:
        Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, section 2.3.
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
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
        reset_after: bool = True,
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
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, Any]:
        (h,) = keras.tree.flatten(states)
        dropped_h = self.drop_state(h, training)
        gate, matmul, split = self.recurrent_activation, keras.ops.matmul, keras.ops.split

        x_W = matmul(self.drop_inputs(inputs, training), self.kernel)
        if self.use_bias:
            x_W = keras.ops.add(x_W, self.bias[0] if self.reset_after else self.bias)
        x_W_z, x_W_r, x_W_n = split(x_W, 3, axis=-1)

        if self.reset_after:
            h_U = matmul(dropped_h, self.recurrent_kernel)
            if self.use_bias:
                h_U = keras.ops.add(h_U, self.bias[1])
            h_U_z, h_U_r, h_U_n = split(h_U, 3, axis=-1)
            r = gate(x_W_r + h_U_r)  # r_t
            n = self.activation(x_W_n + r * h_U_n)  # n_t
        else:
            U_z_and_U_r, U_n = self.recurrent_kernel[:, : 2 * self.units], self.recurrent_kernel[:, 2 * self.units :]
            h_U_z, h_U_r = split(matmul(dropped_h, U_z_and_U_r), 2, axis=-1)
            r = gate(x_W_r + h_U_r)  # r_t
            n = self.activation(x_W_n + matmul(r * dropped_h, U_n))  # n_t

        z = gate(x_W_z + h_U_z)  # z_t
        h = z * h + (1 - z) * n  # h_t
        return h, keras.tree.pack_sequence_as(states, [h])

    @property
    def recurrence(self) -> str | None:
        if not (is_tanh(self.activation) and is_sigmoid(self.recurrent_activation)):
            return None
        return "gru_reset_after" if self.reset_after else "gru"

    def get_cell_config(self) -> dict[str, Any]:
        recurrent_activation = keras.activations.serialize(self.recurrent_activation)
        return {**super().get_cell_config(), "recurrent_activation": recurrent_activation}
