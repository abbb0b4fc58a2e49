"""GRU with the reset gate before the product, one step forward and one step back (Cho et al. 2014).

    r_t = σ(x_t W_r + h_{t-1} U_r + b_r)                reset gate
    z_t = σ(x_t W_z + h_{t-1} U_z + b_z)                update gate
    n_t = tanh(x_t W_n + (r_t * h_{t-1}) U_n + b_n)     candidate
    h_t = z_t * h_{t-1} + (1 - z_t) * n_t               hidden state

Recurrent dropout reaches h_{t-1} where it enters a product, not where the update gate carries it over.
Keras stores the gates as z, r, n. `gru_reset_after.py` has the variant that Keras builds by default.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]

SAVED = (2, 1, 1)  # what a step keeps for the backward pass, widths in units: gates z, r; candidate n; r_t * h_{t-1}
LOCAL = (2, 1)  # the gradient that a backward step leaves behind: of the pre-activations of z, r; of n


def to_loop(weights: Weights) -> Weights:
    """Splits the recurrent kernel once into those of the gates and of the candidate, which two products use."""
    gates, candidate = split_2_1(weights.recurrent_kernel)
    return Weights(weights.kernel, (gates, candidate), weights.bias)


to_inference = to_loop


def from_loop(weights: Weights) -> Weights:
    """The gradients come in Keras's order already."""
    return weights


def biases(weights: Weights) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """The bias that joins the inputs before the loop, and the one that joins the product of each step."""
    return weights.bias, None


def split_2_1(tensor: tf.Tensor) -> list[tf.Tensor]:
    """The part of both gates and that of the candidate, along the last axis."""
    units = tensor.shape[-1] // 3
    return tf.split(tensor, [2 * units, units], axis=-1)


def step(
    x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None
) -> tuple[States, States]:
    """One step: the new state, and what the backward pass needs of it."""
    (h,) = states
    x_gates, x_candidate = split_2_1(x)
    kernel_gates, kernel_candidate = weights.recurrent_kernel
    dropped_h = h if recurrent_dropout_mask is None else h * recurrent_dropout_mask
    gates = tf.sigmoid(x_gates + tf.matmul(dropped_h, kernel_gates))
    update, reset = tf.split(gates, 2, axis=-1)
    reset_h = reset * dropped_h
    candidate = tf.tanh(x_candidate + tf.matmul(reset_h, kernel_candidate))
    return (candidate + update * (h - candidate),), (gates, candidate, reset_h)


def inference_step(x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None) -> States:
    """The new state alone."""
    return step(x, states, weights, recurrent_dropout_mask)[0]


def local_derivatives(saved: States, outputs: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor | None, ...]:
    """The derivatives along the edges of several steps at once; as in `lstm.local_derivatives`."""
    gates, candidate, reset_h = saved
    update, reset = tf.split(gates, 2, axis=-1)
    # z (h_{t-1} - n) = h_t - n, so the state before the step is not needed.
    local_update = (outputs - candidate) * (1 - update)
    local_candidate = (1 - update) * (1 - candidate * candidate)
    local_reset = reset_h * (1 - reset)
    if mask is None:
        return update, local_update, local_candidate, local_reset, reset
    return (
        tf.where(mask, update, 1),
        tf.where(mask, local_update, 0),
        tf.where(mask, local_candidate, 0),
        local_reset,
        reset,
    )


def step_back(
    d_h: tf.Tensor, d_states: States, derivatives_t: States, transposed_recurrent_kernel: tf.Tensor
) -> tuple[tf.Tensor, States, States]:
    """One step back; as in `lstm.step_back`."""
    local_update, local_candidate, local_reset, reset = derivatives_t
    from_gates, from_candidate = transposed_recurrent_kernel
    d_candidate = d_h * local_candidate
    d_reset_h = tf.matmul(d_candidate, from_candidate)
    d_gates = tf.concat([d_h * local_update, d_reset_h * local_reset], axis=-1)
    d_previous_h = tf.matmul(d_gates, from_gates) + d_reset_h * reset
    return d_previous_h, (), (d_gates, d_candidate)


def projected(local: States) -> tf.Tensor:
    """The gradient of the projected inputs."""
    return tf.concat(local, axis=-1)


def recurrent_kernel(
    local: States, saved: States, product_with_previous_h: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """The gradient of the recurrent kernel; as in `lstm.recurrent_kernel`."""
    d_gates, d_candidate = local
    _, _, reset_h = saved
    units = reset_h.shape[-1]
    of_candidate = tf.matmul(tf.reshape(reset_h, [-1, units]), tf.reshape(d_candidate, [-1, units]), transpose_a=True)
    return tf.concat([product_with_previous_h(d_gates), of_candidate], axis=-1)


def bias(local: States, total: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """The gradient of the bias; `total` sums over batch and time."""
    return tf.concat([total(one) for one in local], axis=-1)
