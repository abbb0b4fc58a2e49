"""The weights of a recurrent cell, as one argument."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Weights(NamedTuple):
    """Kernel, recurrent kernel and bias of one cell, in Keras's shapes and gate order.

    With `gates` = 1 for "rnn", 3 for both GRUs (z, r, h) and 4 for "lstm" (i, f, c, o):

    Attributes:
        kernel: `(features, gates * units)`, multiplies the inputs.
        recurrent_kernel: `(units, gates * units)`, multiplies the hidden state.
        bias: `(gates * units,)`, for "gru_reset_after" `(2, gates * units)` (input bias, recurrent bias), or None.
    """

    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor | None = None
