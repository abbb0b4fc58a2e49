"""Sequences with time first, as the loops take them: a step is then a slice without a copy."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rnnapps.recurrences.loop import static_or_dynamic_shape

States = tuple[tf.Tensor, ...]


def swap(sequence: tf.Tensor) -> tf.Tensor:
    """Batch-major to time-major, or back."""
    return tf.transpose(sequence, [1, 0] + list(range(2, sequence.shape.rank)))


def swapped_mask(mask: tf.Tensor | None) -> tf.Tensor | None:
    """`(time, batch, 1)` from `(batch, time)`."""
    return None if mask is None else tf.expand_dims(swap(mask), -1)


def unmasked(sequence: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Zeros at masked steps. The gradients of these steps are zero, which would not cancel NaN."""
    return sequence if mask is None else tf.where(mask, sequence, tf.zeros([], sequence.dtype))


def rows(sequence: tf.Tensor) -> tf.Tensor:
    """`(time * batch, n)` from `(time, batch, n)`."""
    return tf.reshape(sequence, [-1, sequence.shape[-1]])


def product(
    sequence: tf.Tensor, matrix: tf.Tensor, *, bias: tf.Tensor | None = None, transpose_b: bool = False
) -> tf.Tensor:
    """`(time, batch, n)` times `(n, m)`, all steps in one product, plus `(m,)`."""
    flat = tf.matmul(rows(sequence), matrix, transpose_b=transpose_b)
    if bias is not None:
        flat = tf.nn.bias_add(flat, bias)
    # One unknown size is inferred, which takes no operations.
    shape = [sequence.shape[0], -1] if sequence.shape[0] else static_or_dynamic_shape(sequence)[:2]
    return tf.reshape(flat, [*shape, flat.shape[-1]])


def run_steps(
    step: Callable[[tf.Tensor, States, tf.Tensor | None], tuple[States, tuple[tf.Tensor, ...]]],
    states: States,
    xs: tf.Tensor,
    mask: tf.Tensor | None,
    *,
    reverse: bool,
    keep_outputs: bool,
) -> tuple[States, list[tf.Tensor]]:
    """Runs a step over a few steps of time.

    Args:
        step: From the projected inputs of a step, the states and the mask to new states and what else to keep.
        states: The states before.
        xs: `(steps, batch, n)`, projected inputs.
        mask: None or bool `(steps, batch, 1)`.
        reverse: Whether to go from the last step to the first.
        keep_outputs: Whether to keep the hidden state of each step, before what else is kept.

    Returns:
        The last states, and a tensor `(steps, ...)` for each thing that is kept.
    """
    xs = tf.unstack(xs)
    masks = [None] * len(xs)
    if mask is not None:
        # A select of equal shapes takes a fraction of the time of one that broadcasts.
        masks = tf.unstack(tf.tile(mask, [1, 1, states[0].shape[-1]]), num=len(xs))
    kept = [None] * len(xs)
    for t in reversed(range(len(xs))) if reverse else range(len(xs)):
        states, saved = step(xs[t], states, masks[t])
        kept[t] = (states[0],) * keep_outputs + saved
    return states, stacked(kept)


def held(mask: tf.Tensor | None, new: States, old: States) -> States:
    """The new states, and the old ones where the mask is False."""
    if mask is None:
        return new
    return tuple(tf.where(mask, one, other) for one, other in zip(new, old, strict=True))


def stacked(kept: list[tuple[tf.Tensor, ...]]) -> list[tf.Tensor]:
    """One tensor `(steps, ...)` for each place in the tuples of the steps."""
    return [tf.stack(one) for one in zip(*kept, strict=True)]


def with_static_batch(states: States, inputs: tf.Tensor) -> States:
    """States whose static shapes agree with each other and with the inputs, as a while loop demands."""
    shape = tf.TensorShape([inputs.shape[0], None])
    for state in states:
        shape = shape.merge_with([state.shape[0], None])
    known = [tf.TensorShape([shape[0], state.shape[1]]) for state in states]
    return tuple(
        state if state.shape.as_list() == one.as_list() else tf.ensure_shape(state, one)
        for state, one in zip(states, known, strict=True)
    )
