"""LSTM, one step forward and one step back (Hochreiter and Schmidhuber 1997; with forget gate, Gers et al. 2000).

    i_t = σ(x_t W_i + h_{t-1} U_i + b_i)        input gate
    f_t = σ(x_t W_f + h_{t-1} U_f + b_f)        forget gate
    g_t = tanh(x_t W_g + h_{t-1} U_g + b_g)     candidate
    o_t = σ(x_t W_o + h_{t-1} U_o + b_o)        output gate
    c_t = f_t * c_{t-1} + i_t * g_t             cell state
    h_t = o_t * tanh(c_t)                       hidden state

Keras stores the gates as i, f, g, o. Inside the loop they are o, i, f, g: the three sigmoids side by side, so that one
operation computes them.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]

SAVED = (3, 1, 1)  # what a step keeps for the backward pass, widths in units: gates o, i, f; candidate g; c_{t-1}
LOCAL = (4,)  # the gradient that a backward step leaves behind: of the pre-activations of o, i, f, g


def to_loop(weights: Weights) -> Weights:
    """From Keras's order of the gates to that of the loop."""

    def reorder(weight: tf.Tensor) -> tf.Tensor:
        input_, forget, candidate, output = tf.split(weight, 4, axis=-1)
        return tf.concat([output, input_, forget, candidate], axis=-1)

    return Weights(*(None if weight is None else reorder(weight) for weight in weights))


def to_inference(weights: Weights) -> Weights:
    """`inference_step` takes the gates in Keras's order."""
    return weights


def from_loop(weights: Weights) -> Weights:
    """From the order of the loop back to Keras's."""

    def reorder(weight: tf.Tensor) -> tf.Tensor:
        output, input_, forget, candidate = tf.split(weight, 4, axis=-1)
        return tf.concat([input_, forget, candidate, output], axis=-1)

    return Weights(*(None if weight is None else reorder(weight) for weight in weights))


def biases(weights: Weights) -> tuple[tf.Tensor | None, tf.Tensor | None]:
    """The bias that joins the inputs before the loop, and the one that joins the product of each step."""
    return weights.bias, None


def step(
    x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None
) -> tuple[States, States]:
    """One step: the new states, and what the backward pass needs of it."""
    h, c = states
    units = h.shape[-1]
    if recurrent_dropout_mask is not None:
        h = h * recurrent_dropout_mask
    gates, candidate = tf.split(x + tf.matmul(h, weights.recurrent_kernel), [3 * units, units], axis=-1)
    gates = tf.sigmoid(gates)
    candidate = tf.tanh(candidate)
    output, input_, forget = tf.split(gates, 3, axis=-1)
    new_c = forget * c + input_ * candidate
    return (output * tf.tanh(new_c), new_c), (gates, candidate, c)


def inference_step(x: tf.Tensor, states: States, weights: Weights, recurrent_dropout_mask: tf.Tensor | None) -> States:
    """The new states alone; the gates are in Keras's order.

    All gates are split into equal parts: unequal parts, which make training faster, take longer here.
    """
    h, c = states
    if recurrent_dropout_mask is not None:
        h = h * recurrent_dropout_mask
    input_, forget, candidate, output = tf.split(x + tf.matmul(h, weights.recurrent_kernel), 4, axis=-1)
    new_c = tf.sigmoid(forget) * c + tf.sigmoid(input_) * tf.tanh(candidate)
    return tf.sigmoid(output) * tf.tanh(new_c), new_c


def local_derivatives(saved: States, outputs: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor | None, ...]:
    """The derivatives along the edges of several steps at once: what `step_back` multiplies with.

    Args:
        saved: as `step` keeps it, each `(steps, batch, ...)`.
        outputs: `(steps, batch, units)`, the hidden states after those steps.
        mask: None or bool `(steps, batch, 1)`.

    Returns:
        A tuple that starts with ∂h_t/∂h_{t-1} past the matrix product: here 1 where a masked step holds the state, and
        None without a mask.
    """
    gates, candidate, previous_c = saved
    output, input_, forget = tf.split(gates, 3, axis=-1)
    tanh_c = tf.tanh(forget * previous_c + input_ * candidate)
    c_from_h = output * (1 - tanh_c * tanh_c)
    local = tf.concat(
        [
            tanh_c * output * (1 - output),  # ∂h_t by the pre-activation of o_t
            candidate * input_ * (1 - input_),  # ∂c_t by that of i_t
            previous_c * forget * (1 - forget),  # f_t
            input_ * (1 - candidate * candidate),  # and g_t
        ],
        axis=-1,
    )
    if mask is None:
        return None, c_from_h, local, forget
    held = tf.cast(tf.logical_not(mask), local.dtype)
    return held, tf.where(mask, c_from_h, 0), tf.where(mask, local, 0), tf.where(mask, forget, 1)


def step_back(
    d_h: tf.Tensor, d_states: States, derivatives_t: States, transposed_recurrent_kernel: tf.Tensor
) -> tuple[tf.Tensor, States, States]:
    """One step back: from ∂L/∂h_t (complete) and ∂L/∂c_t (from later steps) to the step before.

    The recurrent kernel comes transposed, made so once for all steps.

    Returns:
        ∂L/∂h_{t-1} through the matrix product, ∂L/∂c_{t-1} in a tuple, and the gradients of the pre-activations.
    """
    c_from_h, local, forget = derivatives_t
    (d_c,) = d_states
    d_c = d_c + d_h * c_from_h
    d_local = tf.concat([d_h, d_c, d_c, d_c], axis=-1) * local
    return tf.matmul(d_local, transposed_recurrent_kernel), (d_c * forget,), (d_local,)


def projected(local: States) -> tf.Tensor:
    """The gradient of the projected inputs."""
    return local[0]


def recurrent_kernel(
    local: States, saved: States, product_with_previous_h: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """The gradient of the recurrent kernel; the function sums h_{t-1}ᵀ · its argument over batch and time."""
    return product_with_previous_h(local[0])


def bias(local: States, total: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    """The gradient of the bias; `total` sums over batch and time."""
    return total(local[0])
