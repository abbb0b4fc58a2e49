"""The gated recurrent unit as a layer."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.gru_cell import GRUCell
from rnnapps.layers.recurrent import Recurrent, take_cell_arguments


@keras.saving.register_keras_serializable("rnnapps")
class GRU(Recurrent):
    """Gated recurrent unit, in the place of `keras.layers.GRU`.

    `GRUCell` has the equations. Three quarters of an LSTM's weights and time for often the same result. Arguments,
    weights, their order and the order of the gates (z, r, h) are Keras's: `get_weights` and `set_weights` exchange
    with `keras.layers.GRU`.

    Args:
        units: Size of the state and of the output.
        activation: In place of tanh; a name, a function or None for identity.
        recurrent_activation: In place of the sigmoid of the gates.
        use_bias: Whether there are biases.
        reset_after: Whether the reset gate is applied after the recurrent product (as in cuDNN and PyTorch) or before
            it (as in the paper).
        use_cudnn: Kept for Keras's sake: "auto", True or False. Our recurrences do not use cuDNN, whatever it says.
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
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by
        h `(batch, units)`.

    Example:

    >>> layer = GRU(8, return_state=True)
    >>> output, h = layer(np.ones((4, 10, 3), "float32"))
    >>> output.shape, h.shape
    (TensorShape([4, 8]), TensorShape([4, 8]))

    Reference:
        Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014, section 2.3.
    """

    cell_class = GRUCell

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        *,
        reset_after: bool = True,
        use_cudnn: str | bool = "auto",
        **kwargs: Any,
    ) -> None:
        if use_cudnn not in ("auto", True, False):
            raise ValueError(f"`use_cudnn` must be 'auto', True or False, got {use_cudnn!r}")
        cell_arguments = take_cell_arguments(GRUCell, kwargs)
        cell = GRUCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            reset_after=reset_after,
            name="gru_cell",
            **cell_arguments,
        )
        super().__init__(cell, **kwargs)
        self.use_cudnn = use_cudnn

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "use_cudnn": self.use_cudnn}
