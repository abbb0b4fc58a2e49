"""The loop over time: several steps per iteration of a while loop, for lengths known when traced or only when run.

A while loop in a TensorFlow graph takes some twenty bookkeeping operations per iteration, more than the step of a small
cell. The loop here therefore gives its body a few consecutive steps at once. The steps left over follow: at once where
the length is known when the graph is built, one by one in a second loop where it is not. Where steps of zeros change
nothing, the sequences are padded instead: an export has no second loop to load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from rnnapps.internals import in_xla
from rnnapps.recurrences import tensor_list

UNROLL = 8
UNROLL_UNDER_XLA = 2  # compiled, an iteration costs next to nothing, while compiling takes time for every step in it

Carry = tuple[tf.Tensor, ...]
Body = Callable[[Carry, tuple[tf.Tensor, ...]], tuple[Carry, list[tf.Tensor]]]


def static_or_dynamic_shape(tensor: tf.Tensor) -> list[int | tf.Tensor]:
    """The shape with Python integers where they are known and scalar tensors where they are not."""
    static = tensor.shape.as_list()
    if None not in static:
        return static
    dynamic = tf.shape(tensor)
    return [dynamic[axis] if size is None else size for axis, size in enumerate(static)]


def steps_from(sequence: tf.Tensor, start: int | tf.Tensor, count: int, *, axis: int) -> tf.Tensor:
    """`sequence[start : start + count]` along the time axis, in a form that XLA accepts for an unknown start."""
    static = sequence.shape
    if static[axis] is None and in_xla():
        # XLA checks the slice in the loop's body even for a length that never enters it. Otherwise this adds nothing.
        missing = tf.maximum(0, count - tf.shape(sequence)[axis])
        sequence = tf.pad(sequence, [[0, missing if i == axis else 0] for i in range(static.rank)])
    shape = static_or_dynamic_shape(sequence)
    shape[axis] = count
    begin = [start if i == axis else 0 for i in range(len(shape))]
    part = tf.slice(sequence, begin, shape)
    part.set_shape([*static[:axis], count, *static[axis + 1 :]])
    return part


def scan(
    body: Body,
    carry: Carry,
    sequences: Sequence[tf.Tensor],
    kept: Sequence[Sequence[int | tf.Tensor]],
    *,
    reverse: bool = False,
    zeros_hold: bool = False,
) -> tuple[Carry, list[tf.Tensor]]:
    """Runs `body` over the steps of time-major sequences, in order or in reverse.

    Args:
        body: A function `body(carry, chunks) -> (carry, kept)`. `chunks` holds a few consecutive steps of each
            sequence, `(steps, ...)`, always in the order of time; `kept` is a list of tensors `(steps, ...)`, in the
            order of time as well. With `reverse` the body itself must go from its last step to its first.
        carry: What flows from step to step.
        sequences: Tensors `(time, ...)`, at least one.
        kept: Shape of each tensor that the body keeps of a step; the dtype is that of `carry[0]`.
        reverse: Whether the first step to run is the last in time.
        zeros_hold: Whether a step at which all sequences are zero keeps the carry, as a masked one does.

    Returns:
        The last carry, and for each kept tensor all steps, `(time, ...)`.
    """
    given = steps = static_or_dynamic_shape(sequences[0])[0]
    unroll = UNROLL_UNDER_XLA if in_xla() else UNROLL
    padded = zeros_hold and not isinstance(given, int)
    if padded:
        sequences = [_padded(sequence, -given % unroll) for sequence in sequences]
        steps = given + -given % unroll
    dtype = carry[0].dtype

    def run(start: int | tf.Tensor, count: int, carry: Carry) -> tuple[Carry, list[tf.Tensor]]:
        new_carry, items = body(carry, tuple(steps_from(sequence, start, count, axis=0) for sequence in sequences))
        for new, old in zip(new_carry, carry, strict=True):
            new.set_shape(old.shape)
        return new_carry, items

    def loop(first: int | tf.Tensor, iterations: int | tf.Tensor, count: int, carry: Carry):
        """`iterations` chunks of `count` steps each, from the step `first` on in the order of reading."""

        def iteration(index: tf.Tensor, carry: Carry, lists: tuple):
            position = first + index * count
            carry, chunk = run(steps - position - count if reverse else position, count, carry)
            place = iterations - 1 - index if reverse else index
            lists = tuple(tensor_list.set_item(one, place, item) for one, item in zip(lists, chunk, strict=True))
            return index + 1, carry, lists

        shapes = [[count, *shape] for shape in kept]
        _, carry, lists = tf.while_loop(
            lambda index, *_: index < iterations,
            iteration,
            (tf.constant(0), carry, tuple(tensor_list.reserve(iterations, shape, dtype) for shape in shapes)),
            maximum_iterations=iterations,
            parallel_iterations=1,
        )
        stacked = [tensor_list.stack(one, iterations, shape, dtype) for one, shape in zip(lists, shapes, strict=True)]
        return carry, [tf.reshape(one, [iterations * count, *shape]) for one, shape in zip(stacked, kept, strict=True)]

    whole = steps // unroll
    done = whole * unroll
    parts = []
    if not isinstance(steps, int):
        carry, part = loop(0, whole, unroll, carry)
        parts.append(part)
        if not padded:
            carry, part = loop(done, steps - done, 1, carry)
            parts.append(part)
    else:
        if whole == 1:
            carry, part = run(steps - unroll if reverse else 0, unroll, carry)
            parts.append(part)
        elif whole:
            carry, part = loop(0, whole, unroll, carry)
            parts.append(part)
        if done < steps:
            carry, part = run(0 if reverse else done, steps - done, carry)
            parts.append(part)
    if not parts:
        return carry, [tf.zeros([0, *shape], dtype) for shape in kept]
    if reverse:
        parts.reverse()
    whole_time = [one[0] if len(one) == 1 else tf.concat(one, axis=0) for one in zip(*parts, strict=True)]
    return carry, [one[:given] for one in whole_time] if padded else whole_time


def _padded(sequence: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """`(time, ...)` with so many steps of zeros after it."""
    longer = tf.pad(sequence, [[0, missing]] + [[0, 0]] * (sequence.shape.rank - 1))
    longer.set_shape([None, *sequence.shape[1:]])
    return longer
