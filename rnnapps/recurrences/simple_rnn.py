"""The vanilla recurrent cell, one step forward and one step back (Elman 1990).

    h_t = tanh(x_t W + h_{t-1} U + b)

Nothing needs to be kept for the backward pass: the derivative of tanh is 1 - h_t², and h_t is the output.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]

SAVED = ()
LOCAL = (1,)  # the gradient that a backward step leaves behind: of the pre-activation


def to_loop(weights: Weights) -> Weights:
    """The loop takes the weights as Keras stores them."""
    return weights


to_inference = from_loop = to_loop


def biases(weights: Weights) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """The bias that joins the inputs before the loop, and the one that joins the product of each step."""
    return weights.bias, None


def step(
    x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None
) -> tuple[States, States]:
    """One step: the new state, and nothing to keep."""
    (h,) = states
    if recurrent_dropout_mask is not None:
        h = h * recurrent_dropout_mask
    return (tf.tanh(x + tf.matmul(h, weights.recurrent_kernel)),), ()


def inference_step(x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None) -> States:
    """The new state alone."""
    return step(x, states, weights, recurrent_dropout_mask)[0]


def local_derivatives(saved: States, outputs: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor | None, ...]:
    """The derivatives along the edges of several steps at once; as in `lstm.local_derivatives`."""
    local = 1 - outputs * outputs
    if mask is None:
        return None, local
    return tf.cast(tf.logical_not(mask), local.dtype), tf.where(mask, local, 0)


def step_back(
    d_h: tf.Tensor, d_states: States, derivatives_t: States, transposed_recurrent_kernel: tf.Tensor
) -> tuple[tf.Tensor, States, States]:
    """One step back; as in `lstm.step_back`."""
    (local,) = derivatives_t
    d_local = d_h * local
    return tf.matmul(d_local, transposed_recurrent_kernel), (), (d_local,)


def projected(local: States) -> tf.Tensor:
    """The gradient of the projected inputs."""
    return local[0]


def recurrent_kernel(
    local: States, saved: States, product_with_previous_h: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """The gradient of the recurrent kernel; as in `lstm.recurrent_kernel`."""
    return product_with_previous_h(local[0])


def bias(local: States, total: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """The gradient of the bias; `total` sums over batch and time."""
    return total(local[0])
