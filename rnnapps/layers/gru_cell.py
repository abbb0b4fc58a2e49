"""One step of the gated recurrent unit."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.recurrent_cell import RecurrentCell, Tensor, is_sigmoid, is_tanh


@keras.saving.register_keras_serializable("rnnapps")
class GRUCell(RecurrentCell):
    """One step of the gated recurrent unit.

    The update gate z joins the LSTM's forget and input gates, and one state h is both memory and output.
    With x_t the inputs, * the element-wise product and σ the sigmoid:

        z_t = σ(W_z x_t + U_z h_{t-1} + b_z)
        r_t = σ(W_r x_t + U_r h_{t-1} + b_r)
        n_t = tanh(W_h x_t + b_h + r_t * (U_h h_{t-1} + b'_h))      with `reset_after`
        n_t = tanh(W_h x_t + b_h + U_h (r_t * h_{t-1}))             without
        h_t = z_t * h_{t-1} + (1 - z_t) * n_t

    `kernel` holds W_z, W_r, W_h side by side, `(features, 3 * units)`, `recurrent_kernel` the three U,
    `(units, 3 * units)`. `bias` is `(3 * units,)`; with `reset_after` it is `(2, 3 * units)`, the second row being
    added to the products with U.

    Args:
        units: Size of the state.
        activation: In place of tanh.
        recurrent_activation: In place of σ.
        use_bias: Whether there are biases.
        reset_after: Whether the reset gate is applied after the recurrent product (one product per step, the
            form that cuDNN and PyTorch compute) or before it (the form of the paper).
        **kwargs: Initializers, regularizers, constraints, `dropout`, `recurrent_dropout`, `seed`, of `RecurrentCell`.

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
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        reset_after: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.reset_after = reset_after

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, Any]:
        (h,) = keras.tree.flatten(states)
        dropped_h = self.drop_state(h, training)
        gate, matmul, split = self.recurrent_activation, keras.ops.matmul, keras.ops.split

        x = matmul(self.drop_inputs(inputs, training), self.kernel)
        if self.use_bias:
            x = keras.ops.add(x, self.bias[0] if self.reset_after else self.bias)
        x_update, x_reset, x_new = split(x, 3, axis=-1)

        if self.reset_after:
            u = matmul(dropped_h, self.recurrent_kernel)
            if self.use_bias:
                u = keras.ops.add(u, self.bias[1])
            u_update, u_reset, u_new = split(u, 3, axis=-1)
            reset = gate(x_reset + u_reset)  # r_t
            u_new = reset * u_new
        else:
            U_gates, U_new = self.recurrent_kernel[:, : 2 * self.units], self.recurrent_kernel[:, 2 * self.units :]
            u_update, u_reset = split(matmul(dropped_h, U_gates), 2, axis=-1)
            reset = gate(x_reset + u_reset)  # r_t
            u_new = matmul(reset * dropped_h, U_new)

        update = gate(x_update + u_update)  # z_t
        new = self.activation(x_new + u_new)  # n_t
        h = update * h + (1 - update) * new  # h_t
        return h, keras.tree.pack_sequence_as(states, [h])

    @property
    def recurrence(self) -> str | None:
        if not (is_tanh(self.activation) and is_sigmoid(self.recurrent_activation)):
            return None
        return "gru_reset_after" if self.reset_after else "gru"

    def get_cell_config(self) -> dict[str, Any]:
        recurrent_activation = keras.activations.serialize(self.recurrent_activation)
        return {**super().get_cell_config(), "recurrent_activation": recurrent_activation}
