"""The weights of a recurrent cell, as one argument."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Weights(NamedTuple):
    """Kernel, recurrent kernel and bias of one cell, in Keras's shapes and gate order.

    There is 1 gate in "rnn", 3 in both GRUs (z, r, n) and 4 in "lstm" (i, f, g, o).

    Attributes:
        kernel: W, `(features, gates * units)`, multiplies the inputs.
        recurrent_kernel: U, `(units, gates * units)`, multiplies the hidden state.
        bias: b, `(gates * units,)`, for "gru_reset_after" b and b' `(2, gates * units)`, or None.
    """

    kernel: tf.Tensor
    recurrent_kernel: tf.Tensor
    bias: tf.Tensor | None = None
