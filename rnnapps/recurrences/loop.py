"""The loop over time: several steps per iteration of a while loop, for lengths known when traced or only when run.

A while loop in a TensorFlow graph takes some twenty bookkeeping operations per iteration, more than the step of a small
cell. The loop here therefore gives its body a few consecutive steps at once. The steps left over follow: at once where
the length is known when the graph is built, one by one in a second loop where it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from rnnapps.internals import in_xla
from rnnapps.recurrences import tensor_list

UNROLL = 4
UNROLL_UNDER_XLA = 2  # compiled, an iteration costs next to nothing, while compiling takes time for every step in it

Carry = tuple[tf.Tensor, ...]


class Chunk(NamedTuple):
    """Consecutive steps that one iteration takes."""

    start: int | tf.Tensor
    count: int

    def of(self, sequence: tf.Tensor) -> tf.Tensor:
        """These steps of a sequence `(time, ...)`."""
        return steps_from(sequence, self.start, self.count, axis=0)


Body = Callable[[Carry, Chunk], tuple[Carry, list[tf.Tensor]]]


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
    shape = [-1] * static.rank
    if in_xla():
        if static[axis] is None:
            # XLA checks the slice even where a length never enters the loop. Otherwise this adds nothing.
            missing = tf.maximum(0, count - tf.shape(sequence)[axis])
            sequence = tf.pad(sequence, [[0, missing if i == axis else 0] for i in range(static.rank)])
        shape = static_or_dynamic_shape(sequence)
    shape[axis] = count
    begin = [start if i == axis else 0 for i in range(static.rank)]
    part = tf.slice(sequence, begin, shape)
    part.set_shape([*static[:axis], count, *static[axis + 1 :]])
    return part


def scan(
    body: Body,
    carry: Carry,
    steps: int | tf.Tensor,
    kept: Sequence[Sequence[int | tf.Tensor]],
    *,
    reverse: bool = False,
    whole: bool = False,
) -> tuple[Carry, list[tf.Tensor]]:
    """Runs `body` over the steps of time-major sequences, in order or in reverse.

    Args:
        body: A function `body(carry, chunk) -> (carry, kept)`. It cuts the steps of the chunk out of its sequences
            and goes through them, with `reverse` from the last to the first. `kept` is a list of tensors
            `(steps, ...)`, always in the order of time.
        carry: What flows from step to step.
        steps: Number of steps.
        kept: Shape of each tensor that the body keeps of a step; the dtype is that of `carry[0]`.
        reverse: Whether the first step to run is the last in time.
        whole: Whether an unknown number of steps is a multiple of `UNROLL`: then there is no second loop.

    Returns:
        The last carry, and for each kept tensor all steps, `(time, ...)`.
    """
    compiled = in_xla()
    unroll = UNROLL_UNDER_XLA if compiled else UNROLL
    dtype = carry[0].dtype

    def run(carry: Carry, chunk: Chunk) -> tuple[Carry, list[tf.Tensor]]:
        new_carry, items = body(carry, chunk)
        for new, old in zip(new_carry, carry, strict=True):
            new.set_shape(old.shape)
        return new_carry, items

    def loop(first: int | tf.Tensor, iterations: int | tf.Tensor, count: int, carry: Carry):
        """`iterations` chunks of `count` steps each; the earliest in time begins with the step `first`."""

        def iteration(index: tf.Tensor, carry: Carry, lists: tuple):
            place = iterations - 1 - index if reverse else index
            start = place * count if isinstance(first, int) and first == 0 else first + place * count
            carry, items = run(carry, Chunk(start, count))
            lists = tuple(tensor_list.set_item(one, place, item) for one, item in zip(lists, items, strict=True))
            return index + 1, carry, lists

        shapes = [[count, *shape] for shape in kept]
        _, carry, lists = tf.while_loop(
            lambda index, *_: index < iterations,
            iteration,
            (tf.constant(0), carry, tuple(tensor_list.reserve(iterations, shape, dtype) for shape in shapes)),
            maximum_iterations=iterations if compiled else None,  # elsewhere a second counter for nothing
            parallel_iterations=1,
        )
        stacked = [tensor_list.stack(one, iterations, shape, dtype) for one, shape in zip(lists, shapes, strict=True)]
        return carry, [tf.reshape(one, [iterations * count, *shape]) for one, shape in zip(stacked, kept, strict=True)]

    done = steps // unroll * unroll
    parts = []
    if not isinstance(steps, int):
        carry, part = loop(0 if whole or not reverse else steps - done, steps // unroll, unroll, carry)
        parts.append(part)
        if not whole:
            carry, part = loop(0 if reverse else done, steps - done, 1, carry)
            parts.append(part)
    else:
        first = steps - done if reverse else 0
        if done == unroll:
            carry, part = run(carry, Chunk(first, unroll))
            parts.append(part)
        elif done:
            carry, part = loop(first, steps // unroll, unroll, carry)
            parts.append(part)
        if done < steps:
            carry, part = run(carry, Chunk(0 if reverse else done, steps - done))
            parts.append(part)
    if not parts:
        return carry, [tf.zeros([0, *shape], dtype) for shape in kept]
    if reverse:
        parts.reverse()
    return carry, [one[0] if len(one) == 1 else tf.concat(one, axis=0) for one in zip(*parts, strict=True)]
