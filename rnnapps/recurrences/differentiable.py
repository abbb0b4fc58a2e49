"""A recurrence in operations that TensorFlow differentiates itself, as often as it is asked to.

The engines write their backward pass by hand, and that pass has no derivative. Whoever wants one (a gradient of the
gradient, or forward mode, which TensorFlow builds from the same) gets it from the loop here: one step an iteration,
the whole of it run once more.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf

from rnnapps.recurrences import tensor_list
from rnnapps.recurrences.graph import CELLS
from rnnapps.recurrences.loop import static_or_dynamic_shape
from rnnapps.recurrences.time_major import held, product, swap, swapped_mask, unmasked, with_static_batch
from rnnapps.recurrences.weights import Weights


def second_order(
    cell: str,
    arguments: Sequence[tf.Tensor],
    d_results: Sequence[tf.Tensor],
    d_gradients: Sequence[tf.Tensor],
    *,
    mask: tf.Tensor | None,
    recurrent_dropout_mask: tf.Tensor | None,
    reverse: bool,
    truncate: int | None,
    gradient_clip: float | None,
    return_sequences: bool,
) -> list[tf.Tensor]:
    """The gradient of the backward pass.

    Args:
        cell: "rnn", "gru", "gru_reset_after" or "lstm".
        arguments: Inputs, states and weights, as the backward pass gives the gradients of.
        d_results: The gradients of the results that the backward pass started from.
        d_gradients: The gradients of the gradients of `arguments`.
        mask: As for `recur`.
        recurrent_dropout_mask: As for `recur`.
        reverse: As for `recur`.
        truncate: As for `recur`.
        gradient_clip: As for `recur`.
        return_sequences: Whether the first result is the hidden states of all steps.

    Returns:
        The gradients of `d_results` and of `arguments`.
    """
    run = _second_order(cell, reverse, truncate, gradient_clip, return_sequences)
    return run(list(arguments), list(d_results), list(d_gradients), mask, recurrent_dropout_mask)


@functools.cache
def _second_order(cell: str, reverse: bool, truncate: int | None, clip: float | None, sequences: bool) -> Callable:
    @tf.function(reduce_retracing=True, autograph=False)
    def run(
        arguments: list[tf.Tensor],
        d_results: list[tf.Tensor],
        d_gradients: list[tf.Tensor],
        mask: tf.Tensor | None,
        dropout: tf.Tensor | None,
    ) -> list[tf.Tensor]:
        # Not by tapes: for forward mode TensorFlow calls this while tapes are off.
        results = _results(cell, arguments, mask, dropout, reverse, truncate, clip, sequences)
        gradients = tf.gradients(results, arguments, d_results, unconnected_gradients="zero")
        return tf.gradients(gradients, [*d_results, *arguments], d_gradients, unconnected_gradients="zero")

    return run


def _results(
    cell: str,
    arguments: list[tf.Tensor],
    mask: tf.Tensor | None,
    dropout: tf.Tensor | None,
    reverse: bool,
    truncate: int | None,
    clip: float | None,
    sequences: bool,
) -> list[tf.Tensor]:
    """What `recur` returns, in one list."""
    equations = CELLS[cell]
    count = 2 if cell == "lstm" else 1
    inputs, states, weights = arguments[0], tuple(arguments[1 : 1 + count]), Weights(*arguments[1 + count :])
    weights = equations.to_loop(weights)
    input_bias, step_bias = equations.biases(weights)
    masks = swapped_mask(mask)
    projected = product(unmasked(swap(inputs), masks), weights.kernel, bias=input_bias)
    after_projection = Weights(None, weights.recurrent_kernel, step_bias)
    states = with_static_batch(states, inputs)
    steps = static_or_dynamic_shape(projected)[0]
    step_shape = static_or_dynamic_shape(states[0])
    xs = tensor_list.from_tensor(projected)

    def step(position: tf.Tensor, states: tuple, outputs: tf.Tensor) -> tuple[tf.Tensor, tuple, tf.Tensor]:
        t = steps - 1 - position if reverse else position
        before = states
        if truncate is not None:
            border = tf.logical_and(position > 0, tf.equal(position % truncate, 0))
            before = tuple(tf.where(border, tf.stop_gradient(state), state) for state in states)
        x = tensor_list.get_item(xs, t, projected.shape[1:], projected.dtype)
        after, _ = equations.step(x, before, after_projection, dropout)
        after = held(None if masks is None else masks[t], after, before)
        if clip is not None:
            after = (_with_clipped_gradient(after[0], clip), *after[1:])
        for new, old in zip(after, states, strict=True):
            new.set_shape(old.shape)
        return position + 1, after, tensor_list.set_item(outputs, t, after[0])

    _, states, outputs = tf.while_loop(
        lambda position, *_: position < steps,
        step,
        (tf.constant(0), states, tensor_list.reserve(steps, step_shape, inputs.dtype)),
        maximum_iterations=steps,
    )
    outputs = tensor_list.stack(outputs, steps, step_shape, inputs.dtype)
    return [swap(outputs), *states] if sequences else list(states)


def _with_clipped_gradient(tensor: tf.Tensor, bound: float) -> tf.Tensor:
    return tf.custom_gradient(lambda one: (tf.identity(one), lambda d: tf.clip_by_value(d, -bound, bound)))(tensor)
