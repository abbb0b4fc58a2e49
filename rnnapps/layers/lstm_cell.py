"""One step of the long short-term memory."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.recurrent_cell import RecurrentCell, Tensor, is_sigmoid, is_tanh


@keras.saving.register_keras_serializable("rnnapps")
class LSTMCell(RecurrentCell):
    """One step of the long short-term memory.

    With x_t the inputs, h the hidden state, C the cell state, * the element-wise product and σ the sigmoid:

        i_t = σ(W_i x_t + U_i h_{t-1} + b_i)         input gate
        f_t = σ(W_f x_t + U_f h_{t-1} + b_f)         forget gate
        C̃_t = tanh(W_c x_t + U_c h_{t-1} + b_c)      candidate
        o_t = σ(W_o x_t + U_o h_{t-1} + b_o)         output gate
        C_t = f_t * C_{t-1} + i_t * C̃_t
        h_t = o_t * tanh(C_t)

    `kernel` holds W_i, W_f, W_c, W_o side by side, `(features, 4 * units)`, `recurrent_kernel` the four U,
    `(units, 4 * units)`, `bias` the four b, `(4 * units,)`.

    Args:
        units: Size of either state.
        activation: In place of tanh.
        recurrent_activation: In place of σ.
        use_bias: Whether there are biases.
        unit_forget_bias: Whether b_f starts at 1, so that an untrained cell remembers (Jozefowicz et al. 2015).
        **kwargs: Initializers, regularizers, constraints, `dropout`, `recurrent_dropout`, `seed`, of `RecurrentCell`.

    Call arguments:
        inputs: `(batch, features)`.
        states: `[h, C]`, each `(batch, units)`.
        training: Whether dropout is on.

    Returns:
        `(h_t, [h_t, C_t])`.

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
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        unit_forget_bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, use_bias, **kwargs)
        self.recurrent_activation = keras.activations.get(recurrent_activation)
        self.unit_forget_bias = unit_forget_bias

    def _start_bias(self, shape: tuple[int, ...], dtype: str | None = None) -> Tensor:
        if not self.unit_forget_bias:
            return super()._start_bias(shape, dtype)
        b_i = self.bias_initializer((self.units,), dtype=dtype)
        b_f = keras.ops.ones((self.units,), dtype=dtype)
        b_c_and_b_o = self.bias_initializer((2 * self.units,), dtype=dtype)
        return keras.ops.concatenate([b_i, b_f, b_c_and_b_o])

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        h, c = states
        gate = self.recurrent_activation
        z = keras.ops.matmul(self.drop_inputs(inputs, training), self.kernel)
        z = z + keras.ops.matmul(self.drop_state(h, training), self.recurrent_kernel)
        if self.bias is not None:
            z = keras.ops.add(z, self.bias)
        z_input, z_forget, z_candidate, z_output = keras.ops.split(z, 4, axis=-1)

        c = gate(z_forget) * c + gate(z_input) * self.activation(z_candidate)  # C_t
        h = gate(z_output) * self.activation(c)  # h_t
        return h, [h, c]

    @property
    def recurrence(self) -> str | None:
        return "lstm" if is_tanh(self.activation) and is_sigmoid(self.recurrent_activation) else None

    def get_cell_config(self) -> dict[str, Any]:
        recurrent_activation = keras.activations.serialize(self.recurrent_activation)
        return {**super().get_cell_config(), "recurrent_activation": recurrent_activation}
