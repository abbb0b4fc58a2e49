"""The gated recurrent unit as a layer."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.gru_cell import GRUCell
from rnnapps.layers.recurrent import Recurrent
from rnnapps.layers.recurrent_cell import Activation, Constraint, Initializer, Regularizer, shared_with_cell


@keras.saving.register_keras_serializable("rnnapps")
class GRU(Recurrent):
    """Gated recurrent unit, a drop-in replacement for `keras.layers.GRU`.

    `GRUCell` has the equations. A GRU takes three quarters of an LSTM's weights and time, often for the same result.
    Arguments, weights, their order and the order of the gates (z, r, n) are Keras's: `get_weights` and `set_weights`
    exchange weights with `keras.layers.GRU`.

    Args:
        units: Size of the state and of the output.
        activation: Used in place of tanh; a name, a function or None for identity.
        recurrent_activation: Used in place of the sigmoid of the gates.
        use_bias: Whether there are biases.
        kernel_initializer, recurrent_initializer, bias_initializer: How the weights are initialised.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, or None.
        activity_regularizer: Penalty on the output, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after each update, or None.
        dropout: Share of the inputs that is dropped in training, with one mask per sequence.
        recurrent_dropout: The same for the hidden state where it enters the recurrent product.
        seed: Makes the dropout masks repeatable.
        return_sequences: Whether to return the output of every step or the last one only.
        return_state: Whether to return the final state after the output.
        go_backwards: Whether to read from the last step to the first. The outputs come in the order of reading.
        stateful: Whether a batch starts from the states at which the batch before it ended (fixed batch size).
        unroll: Whether to lay the steps out one by one in the graph (short sequences of fixed length).
        reset_after: Whether the reset gate is applied after the recurrent product (as in cuDNN and PyTorch) or before
            it (as in the paper).
        use_cudnn: As in Keras: "auto" uses cuDNN wherever it can run, False never does, and True makes a call that
            cannot use it an error.
        **kwargs: `zero_output_for_mask`, `truncate`, `checkpoint_every`, `gradient_clip` (see `Recurrent`), `name`,
            `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: `[h]`, `(batch, units)`; zeros if left out.
        mask: Boolean `(batch, time)`; at a step that is False the state is held.
        training: Whether dropout is on.
        keep_time_order: Whether a layer that goes backwards returns its outputs in the order of its inputs.

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
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: str | bool = "auto",
        **kwargs: Any,
    ) -> None:
        cell = GRUCell(
            units,
            activation,
            recurrent_activation,
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
            reset_after,
            seed,
            name="gru_cell",
            **shared_with_cell(kwargs),
        )
        super().__init__(
            cell,
            return_sequences,
            return_state,
            go_backwards,
            stateful,
            unroll,
            activity_regularizer=activity_regularizer,
            use_cudnn=use_cudnn,
            **kwargs,
        )
