"""The long short-term memory as a layer."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.lstm_cell import LSTMCell
from rnnapps.layers.recurrent import Recurrent, take_cell_arguments


@keras.saving.register_keras_serializable("rnnapps")
class LSTM(Recurrent):
    """Long short-term memory, in the place of `keras.layers.LSTM`.

    `LSTMCell` has the equations. Its cell state carries content and gradient over hundreds of steps. Arguments,
    weights, their order and the order of the gates (i, f, c, o) are Keras's: `get_weights` and `set_weights` exchange
    with `keras.layers.LSTM`.

    Args:
        units: Size of the hidden state, of the cell state and of the output.
        activation: In place of tanh; a name, a function or None for identity.
        recurrent_activation: In place of the sigmoid of the gates.
        use_bias: Whether there are biases.
        unit_forget_bias: Whether the forget gate's bias starts at 1, so that an untrained layer remembers.
        use_cudnn: Kept for Keras's sake: "auto", True or False. Our recurrences do not use cuDNN, whatever it says.
        **kwargs: Those of the cell: `kernel_initializer` ("glorot_uniform"), `recurrent_initializer` ("orthogonal"),
            `bias_initializer` ("zeros"), `kernel_regularizer`, `recurrent_regularizer`, `bias_regularizer`,
            `kernel_constraint`, `recurrent_constraint`, `bias_constraint`, `dropout` (0), `recurrent_dropout` (0),
            `seed` (see `RecurrentCell`). Those of the layer: `return_sequences`, `return_state`, `go_backwards`,
            `stateful`, `unroll`, `zero_output_for_mask`, `truncate`, `checkpoint_every`, `gradient_clip`,
            `activity_regularizer`, `name`, `dtype`, `trainable` (see `Recurrent`).

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: `[h, C]`, each `(batch, units)`; zeros if left out.
        mask: Boolean `(batch, time)`; at a step that is False both states are held.
        training: Whether dropout is on.

    Returns:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by
        h and C, each `(batch, units)`.

    Example:

    >>> layer = LSTM(8, return_sequences=True, return_state=True)
    >>> outputs, h, c = layer(np.ones((4, 10, 3), "float32"))
    >>> outputs.shape, h.shape, c.shape
    (TensorShape([4, 10, 8]), TensorShape([4, 8]), TensorShape([4, 8]))

    Reference:
        Gers, Schmidhuber, Cummins, Learning to forget, Neural Computation 12 (2000), section 3;
        after Hochreiter and Schmidhuber, Long short-term memory, Neural Computation 9 (1997).
    """

    cell_class = LSTMCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        unit_forget_bias: bool = True,
        use_cudnn: str | bool = "auto",
        **kwargs: Any,
    ) -> None:
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f"`use_cudnn` must be 'auto', True or False, got {use_cudnn!r}")
        cell_arguments = take_cell_arguments(LSTMCell, kwargs)
        cell = LSTMCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            unit_forget_bias=unit_forget_bias,
            name="lstm_cell",
            **cell_arguments,
        )
        super().__init__(cell, **kwargs)
        self.use_cudnn = use_cudnn

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_cudnn": self.use_cudnn}
