"""The plain recurrent layer."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.recurrent import Recurrent
from rnnapps.layers.recurrent_cell import Activation, Constraint, Initializer, Regularizer, shared_with_cell
from rnnapps.layers.simple_rnn_cell import SimpleRNNCell


@keras.saving.register_keras_serializable("rnnapps")
class SimpleRNN(Recurrent):
    """Plain (Elman) recurrent layer, a drop-in replacement for `keras.layers.SimpleRNN`.

        h_t = tanh(x_t W + h_{t-1} U + b)
        y_t = h_t W_y + b_y        with `output_units`, otherwise y_t = h_t

    Cheap, and good on short sequences; on long ones its gradient vanishes (see `GRU`, `LSTM`). Arguments, weights and
    their order are Keras's: `get_weights` and `set_weights` exchange weights with `keras.layers.SimpleRNN`.

    Args:
        units: Size of the hidden state.
        activation: Used in place of tanh; a name, a function or None for identity.
        use_bias: Whether there is b (and b_y).
        kernel_initializer, recurrent_initializer, bias_initializer: How the weights are initialised.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: Penalties on the weights, or None.
        activity_regularizer: Penalty on the output, or None.
        kernel_constraint, recurrent_constraint, bias_constraint: Projections of the weights after each update, or None.
        dropout: Share of the inputs that is dropped in training, with one mask per sequence.
        recurrent_dropout: The same for the hidden state where it enters the recurrent product.
        return_sequences: Whether to return the output of every step or the last one only.
        return_state: Whether to return the final state after the output.
        go_backwards: Whether to read from the last step to the first. The outputs come in the order of reading.
        stateful: Whether a batch starts from the states at which the batch before it ended (fixed batch size).
        unroll: Whether to lay the steps out one by one in the graph (short sequences of fixed length).
        seed: Makes the dropout masks repeatable.
        output_units: Size of y_t, or None to return h_t. The final state is h either way.
        **kwargs: `zero_output_for_mask`, `truncate`, `checkpoint_every`, `gradient_clip` (see `Recurrent`), `name`,
            `dtype`, `trainable`.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: `[h]`, `(batch, units)`; zeros if left out.
        mask: Boolean `(batch, time)`; at a step that is False the state is held.
        training: Whether dropout is on.
        keep_time_order: Whether a layer that goes backwards returns its outputs in the order of its inputs.

    Returns:
        `(batch, units)`, or `(batch, time, units)` with `return_sequences` (`output_units` in place of `units` where
        given); with `return_state` followed by h `(batch, units)`.

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
        activation: Activation = "tanh",
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
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        *,
        output_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        cell = SimpleRNNCell(
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
            output_units=output_units,
            name="simple_rnn_cell",
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
            **kwargs,
        )
