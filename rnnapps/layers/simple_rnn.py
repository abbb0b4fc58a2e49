"""The plain recurrent layer."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.recurrent import Recurrent, take_cell_arguments
from rnnapps.layers.simple_rnn_cell import SimpleRNNCell


@keras.saving.register_keras_serializable("rnnapps")
class SimpleRNN(Recurrent):
    """Plain (Elman) recurrent layer, in the place of `keras.layers.SimpleRNN`.

        h_t = tanh(W_xh x_t + W_hh h_{t-1} + b_h)
        y_t = W_hy h_t + b_y        with `output_units`, otherwise y_t = h_t

    Cheap and good on short sequences; on long ones its gradient vanishes (see `GRU`, `LSTM`). Arguments, weights and
    their order are Keras's: `get_weights` and `set_weights` exchange with `keras.layers.SimpleRNN`.

    Args:
        units: Size of the hidden state.
        activation: In place of tanh; a name, a function or None for identity.
        use_bias: Whether there is b_h (and b_y).
        output_units: Size of y_t, or None to return h_t. Final states are h either way.
        **kwargs: Those of the cell: `kernel_initializer` ("glorot_uniform"), `recurrent_initializer` ("orthogonal"),
            `bias_initializer` ("zeros"), `kernel_regularizer`, `recurrent_regularizer`, `bias_regularizer`,
            `kernel_constraint`, `recurrent_constraint`, `bias_constraint`, `dropout` (0), `recurrent_dropout` (0),
            `seed` (see `RecurrentCell`). Those of the layer: `return_sequences`, `return_state`, `go_backwards`,
            `stateful`, `unroll`, `zero_output_for_mask`, `truncate`, `checkpoint_every`, `gradient_clip`,
            `activity_regularizer`, `name`, `dtype`, `trainable` (see `Recurrent`).

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: `[h]`, `(batch, units)`; zeros if left out.
        mask: Boolean `(batch, time)`; at a step that is False the state is held.
        training: Whether dropout is on.

    Returns:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences` (`output_units` in the place of `units`
        where given); with `return_state` followed by h `(batch, units)`.

    Example:

    >>> layer = SimpleRNN(8, output_units=2, return_sequences=True, return_state=True)
    >>> y, h = layer(np.ones((4, 10, 3), "float32"))
    >>> y.shape, h.shape
    (TensorShape([4, 10, 2]), TensorShape([4, 8]))

    Reference:
        Elman, Finding structure in time, Cognitive Science 14 (1990), section "Networks with memory".
    """

    cell_class = SimpleRNNCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        *,
        output_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        cell_arguments = take_cell_arguments(SimpleRNNCell, kwargs)
        cell = SimpleRNNCell(
            units, activation, use_bias, output_units=output_units, name="simple_rnn_cell", **cell_arguments
        )
        super().__init__(cell, **kwargs)
