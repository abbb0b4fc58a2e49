"""Sequences with time first, as the loops take them: a step is then a slice without a copy."""

from __future__ import annotations

import tensorflow as tf

from rnnapps.recurrences.loop import static_or_dynamic_shape

States = tuple[tf.Tensor, ...]


def swap(sequence: tf.Tensor) -> tf.Tensor:
    """Batch-major to time-major, or back."""
    return tf.transpose(sequence, [1, 0] + list(range(2, sequence.shape.rank)))


def swapped_mask(mask: tf.Tensor | None) -> tf.Tensor | None:
    """`(time, batch, 1)` from `(batch, time)`."""
    return None if mask is None else tf.expand_dims(swap(mask), -1)


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
