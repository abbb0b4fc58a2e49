"""The long short-term memory as a layer."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.lstm_cell import LSTMCell
from rnnapps.layers.recurrent import Recurrent
from rnnapps.layers.recurrent_cell import Activation, Constraint, Initializer, Regularizer, shared_with_cell


@keras.saving.register_keras_serializable("rnnapps")
class LSTM(Recurrent):
    """Long short-term memory, a drop-in replacement for `keras.layers.LSTM`.

    `LSTMCell` has the equations. Its cell state carries content and gradient over hundreds of steps. Arguments,
    weights, their order and the order of the gates are Keras's: `get_weights` and `set_weights` exchange weights with
    `keras.layers.LSTM`.

    Args:
        units: Size of the hidden state, of the cell state and of the output.
        activation: Used in place of tanh; a name, a function or None for identity.
        recurrent_activation: Used in place of the sigmoid of the gates.
        use_bias: Whether there are biases.
        kernel_initializer, recurrent_initializer, bias_initializer: How the weights are initialised.
        unit_forget_bias: Whether the forget gate's bias starts at 1, so that an untrained layer remembers.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, or None.
        activity_regularizer: Penalty on the output, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after each update, or None.
        dropout: Share of the inputs that is dropped in training, with one mask per sequence.
        recurrent_dropout: The same for the hidden state where it enters the recurrent product.
        seed: Makes the dropout masks repeatable.
        return_sequences: Whether to return the output of every step or the last one only.
        return_state: Whether to return the final states after the output.
        go_backwards: Whether to read from the last step to the first. The outputs come in the order of reading.
        stateful: Whether a batch starts from the states at which the batch before it ended (fixed batch size).
        unroll: Whether to lay the steps out one by one in the graph (short sequences of fixed length).
        use_cudnn: As in Keras: "auto" uses cuDNN wherever it can run, False never does, and True makes a call that
            cannot use it an error.
        **kwargs: `zero_output_for_mask`, `truncate`, `checkpoint_every`, `gradient_clip` (see `Recurrent`), `name`,
            `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: `[h, c]`, each `(batch, units)`; zeros if left out.
        mask: Boolean `(batch, time)`; at a step that is False both states are held.
        training: Whether dropout is on.
        keep_time_order: Whether a layer that goes backwards returns its outputs in the order of its inputs.

    Returns:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences`; with `return_state` followed by
        h and c, each `(batch, units)`.

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
        use_cudnn: str | bool = "auto",
        **kwargs: Any,
    ) -> None:
        cell = LSTMCell(
            units,
            activation,
            recurrent_activation,
            use_bias,
            kernel_initializer,
            recurrent_initializer,
            bias_initializer,
            unit_forget_bias,
            kernel_regularizer,
            recurrent_regularizer,
            bias_regularizer,
            kernel_constraint,
            recurrent_constraint,
            bias_constraint,
            dropout,
            recurrent_dropout,
            seed,
            name="lstm_cell",
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
