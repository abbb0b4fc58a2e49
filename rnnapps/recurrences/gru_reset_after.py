"""GRU with the reset gate after the product, one step forward and one step back (as cuDNN and Keras build it).

    r_t = σ(x_t W_r + b_r + h_{t-1} U_r + b'_r)     reset gate
    z_t = σ(x_t W_z + b_z + h_{t-1} U_z + b'_z)     update gate
    q_t = h_{t-1} U_n + b'_n
    n_t = tanh(x_t W_n + b_n + r_t * q_t)           candidate
    h_t = z_t * h_{t-1} + (1 - z_t) * n_t           hidden state

One product a step in place of the two of `gru.py`. Keras stores the gates as z, r, n, and the bias as `(2, 3 * units)`:
b and b'.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rnnapps.recurrences.gru import split_2_1
from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]

SAVED = (2, 1, 1)  # what a step keeps for the backward pass, widths in units: gates z, r; candidate n; q_t
LOCAL = (3, 1)  # the gradient that a backward step leaves behind: of h_{t-1} U + b'; of the pre-activation of n


def to_loop(weights: Weights) -> Weights:
    """The loop takes the weights as Keras stores them."""
    return weights


to_inference = from_loop = to_loop


def biases(weights: Weights) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """b, which joins the inputs before the loop, and b', which joins the product of each step."""
    return (None, None) if weights.bias is None else tuple(tf.unstack(weights.bias))


def step(
    x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None
) -> tuple[States, States]:
    """One step: the new state, and what the backward pass needs of it."""
    (h,) = states
    dropped_h = h if recurrent_dropout_mask is None else h * recurrent_dropout_mask
    inner = tf.matmul(dropped_h, weights.recurrent_kernel)
    if weights.bias is not None:
        inner = tf.nn.bias_add(inner, weights.bias)
    x_gates, x_candidate = split_2_1(x)
    inner_gates, inner_candidate = split_2_1(inner)
    gates = tf.sigmoid(x_gates + inner_gates)
    update, reset = tf.split(gates, 2, axis=-1)
    candidate = tf.tanh(x_candidate + reset * inner_candidate)
    return (candidate + update * (h - candidate),), (gates, candidate, inner_candidate)


def inference_step(x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None) -> States:
    """The new state alone; as in `lstm.inference_step`."""
    (h,) = states
    dropped_h = h if recurrent_dropout_mask is None else h * recurrent_dropout_mask
    inner = tf.matmul(dropped_h, weights.recurrent_kernel)
    if weights.bias is not None:
        inner = tf.nn.bias_add(inner, weights.bias)
    x_update, x_reset, x_candidate = tf.split(x, 3, axis=-1)
    inner_update, inner_reset, inner_candidate = tf.split(inner, 3, axis=-1)
    update = tf.sigmoid(x_update + inner_update)
    candidate = tf.tanh(x_candidate + tf.sigmoid(x_reset + inner_reset) * inner_candidate)
    return (candidate + update * (h - candidate),)


def local_derivatives(saved: States, outputs: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor | None, ...]:
    """The derivatives along the edges of several steps at once; as in `lstm.local_derivatives`."""
    gates, candidate, inner_candidate = saved
    update, reset = tf.split(gates, 2, axis=-1)
    # z (h_{t-1} - n) = h_t - n, so the state before the step is not needed.
    local_update = (outputs - candidate) * (1 - update)
    local_candidate = (1 - update) * (1 - candidate * candidate)
    after_reset = local_candidate * reset
    local = tf.concat([local_update, inner_candidate * (1 - reset) * after_reset, after_reset], axis=-1)
    if mask is None:
        return update, local, local_candidate
    return tf.where(mask, update, 1), tf.where(mask, local, 0), tf.where(mask, local_candidate, 0)


def step_back(
    d_h: tf.Tensor, d_states: States, derivatives_t: States, transposed_recurrent_kernel: tf.Tensor
) -> tuple[tf.Tensor, States, States]:
    """One step back; as in `lstm.step_back`."""
    local, local_candidate = derivatives_t
    d_inner = tf.concat([d_h, d_h, d_h], axis=-1) * local
    return tf.matmul(d_inner, transposed_recurrent_kernel), (), (d_inner, d_h * local_candidate)


def projected(local: States) -> tf.Tensor:
    """The gradient of the projected inputs."""
    d_inner, d_candidate = local
    return tf.concat([split_2_1(d_inner)[0], d_candidate], axis=-1)


def recurrent_kernel(
    local: States, saved: States, product_with_previous_h: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """The gradient of the recurrent kernel; as in `lstm.recurrent_kernel`."""
    return product_with_previous_h(local[0])


def bias(local: States, total: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """The gradient of the bias; `total` sums over batch and time."""
    return tf.stack([total(projected(local)), total(local[0])])
