"""A recurrence in segments of time: for checkpoints and for truncated backpropagation.

`forward` runs an engine over one segment after the other and keeps only the states at the start of each. `backward`
goes through the segments from the last to the first: it runs each forward once more, now saving what the backward pass
needs, and then back. Memory grows with `time / segment + segment` in place of `time`, at the price of one more forward
pass (Chen et al. 2016, "Training deep nets with sublinear memory cost"; Gruslys et al. 2016 for BPTT). The steps that
do not fill a segment are the last to be read.
"""

from __future__ import annotations

from types import ModuleType

import tensorflow as tf

from rnnapps.recurrences import tensor_list
from rnnapps.recurrences.loop import static_or_dynamic_shape, steps_from
from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]


class _Cut:
    """Where the segments of a sequence are. A position counts in the order of reading, a place in the order of time."""

    def __init__(self, inputs: tf.Tensor, length: int, reverse: bool) -> None:
        self.steps = static_or_dynamic_shape(inputs)[1]
        self.length = length
        self.reverse = reverse
        self.whole = self.steps // length
        self.rest = self.steps - self.whole * length

    def segment(self, sequence: tf.Tensor | None, index: tf.Tensor) -> tf.Tensor | None:
        """The steps of the whole segment with this position."""
        if sequence is None:
            return None
        position = index * self.length
        start = self.steps - position - self.length if self.reverse else position
        return steps_from(sequence, start, self.length, axis=1)

    def remainder(self, sequence: tf.Tensor | None) -> tf.Tensor | None:
        """The steps after the last whole segment, if there are any."""
        if sequence is None:
            return None
        return sequence[:, : self.rest] if self.reverse else sequence[:, self.steps - self.rest :]

    def place(self, index: tf.Tensor) -> tf.Tensor:
        """The place in time of a segment among the whole ones."""
        return self.whole - 1 - index if self.reverse else index

    def join(self, segments: tf.Tensor, remainder: tf.Tensor) -> tf.Tensor:
        """`(batch, time, ...)` from `(segments, batch, length, ...)` in the order of time and `(batch, rest, ...)`."""
        _, batch, _, *features = static_or_dynamic_shape(segments)
        order = [1, 0, *range(2, segments.shape.rank)]
        joined = tf.reshape(tf.transpose(segments, order), [batch, self.whole * self.length, *features])
        if isinstance(self.rest, int) and self.rest == 0:
            return joined
        return tf.concat([remainder, joined] if self.reverse else [joined, remainder], axis=1)


def forward(
    engine: ModuleType,
    segment: int,
    cell: str,
    inputs: tf.Tensor,
    states: States,
    weights: Weights,
    *,
    mask: tf.Tensor | None,
    reverse: bool,
    save: bool,
    recurrent_dropout_mask: tf.Tensor | None,
    keep_outputs: bool = True,
) -> tuple[tf.Tensor | None, States, States]:
    """Does what an engine's `forward` does, and saves only the states at the start of each segment.

    Args:
        engine: The module that runs a segment.
        segment: Number of steps between checkpoints.
        cell: As for `graph.forward`.
        inputs: As for `graph.forward`.
        states: As for `graph.forward`.
        weights: As for `graph.forward`.
        mask: As for `graph.forward`.
        reverse: As for `graph.forward`.
        save: As for `graph.forward`.
        recurrent_dropout_mask: As for `graph.forward`.
        keep_outputs: Whether to return the hidden states of all steps; the backward pass does not need them here.
    """
    cut = _Cut(inputs, segment, reverse)
    dtype = inputs.dtype
    batch, units = static_or_dynamic_shape(states[0])
    states_shape, outputs_shape = [batch, units], [batch, segment, units]

    def one_segment(index, states, starts, outputs):
        starts = (
            tuple(tensor_list.set_item(one, index, state) for one, state in zip(starts, states, strict=True))
            if save
            else ()
        )
        part, new_states, _ = engine.forward(
            cell,
            cut.segment(inputs, index),
            states,
            weights,
            mask=cut.segment(mask, index),
            reverse=reverse,
            save=False,
            keep_outputs=keep_outputs,
            recurrent_dropout_mask=recurrent_dropout_mask,
        )
        for new, old in zip(new_states, states, strict=True):
            new.set_shape(old.shape)
        outputs = tuple(tensor_list.set_item(one, cut.place(index), part) for one in outputs)
        return index + 1, new_states, starts, outputs

    _, states, starts, outputs = tf.while_loop(
        lambda index, *_: index < cut.whole,
        one_segment,
        (
            tf.constant(0),
            states,
            tuple(tensor_list.reserve(cut.whole + 1, states_shape, dtype) for _ in states) if save else (),
            (tensor_list.reserve(cut.whole, outputs_shape, dtype),) if keep_outputs else (),
        ),
        maximum_iterations=cut.whole,
        parallel_iterations=1,
    )
    starts = (
        tuple(tensor_list.set_item(one, cut.whole, state) for one, state in zip(starts, states, strict=True))
        if save
        else ()
    )
    remainder, states, _ = engine.forward(
        cell,
        cut.remainder(inputs),
        states,
        weights,
        mask=cut.remainder(mask),
        reverse=reverse,
        save=False,
        keep_outputs=keep_outputs,
        recurrent_dropout_mask=recurrent_dropout_mask,
    )
    whole_segments = [tensor_list.stack(one, cut.whole, outputs_shape, dtype) for one in outputs]
    outputs = cut.join(whole_segments[0], remainder) if keep_outputs else None
    return outputs, states, tuple(tensor_list.stack(one, cut.whole + 1, states_shape, dtype) for one in starts)


def backward(
    engine: ModuleType,
    segment: int,
    truncate: int | None,
    cell: str,
    inputs: tf.Tensor,
    states: States,
    weights: Weights,
    *,
    mask: tf.Tensor | None,
    recurrent_dropout_mask: tf.Tensor | None,
    reverse: bool,
    outputs: tf.Tensor | None,
    saved: States,
    d_outputs: tf.Tensor | None,
    d_final_states: States,
    gradient_clip: float | None,
    norms: bool = True,
) -> tuple[tf.Tensor, States, Weights, tf.Tensor | None]:
    """Does what an engine's `backward` does, one segment at a time.

    Args:
        engine: The module that runs a segment.
        segment: As given to `forward`.
        truncate: None, or a multiple of `segment`: the number of steps after which no gradient flows back in time.
        cell: As for `graph.backward`.
        inputs: As for `graph.backward`.
        states: As for `graph.backward`.
        weights: As for `graph.backward`.
        mask: As for `graph.backward`.
        recurrent_dropout_mask: As for `graph.backward`.
        reverse: As for `graph.backward`.
        outputs: Not used: every segment computes its own once more.
        saved: The states that `forward` saved.
        d_outputs: As for `graph.backward`.
        d_final_states: As for `graph.backward`.
        gradient_clip: As for `graph.backward`.
        norms: As for `graph.backward`.
    """
    cut = _Cut(inputs, segment, reverse)
    dtype = inputs.dtype
    # Sums of many segments in half precision would lose the small ones.
    sum_dtype = tf.float32 if dtype.size < 4 else dtype

    def segment_backward(part, index, d_states):
        states = tuple(one[index] for one in saved)
        fixed = {"mask": part(mask), "recurrent_dropout_mask": recurrent_dropout_mask, "reverse": reverse}
        part_outputs, _, kept = engine.forward(cell, part(inputs), states, weights, save=True, **fixed)
        return engine.backward(
            cell,
            part(inputs),
            states,
            weights,
            outputs=part_outputs,
            saved=kept,
            d_outputs=part(d_outputs),
            d_final_states=d_states,
            gradient_clip=gradient_clip,
            norms=norms,
            **fixed,
        )

    def cross(boundary, d_states):
        """The gradient of the states as it passes the start of a segment on its way back."""
        if truncate is None:
            return d_states
        start = boundary * segment
        outside = tf.logical_or(
            tf.equal(start, 0), tf.equal(start, cut.steps)
        )  # no segment before it, or none after it
        flows = tf.logical_or(outside, tf.not_equal(start % truncate, 0))
        return tuple(tf.where(flows, d_state, 0) for d_state in d_states)

    d_remainder, d_states, d_weights, remainder_norms = segment_backward(cut.remainder, cut.whole, d_final_states)
    d_states = cross(cut.whole, d_states)
    given = [weight is not None for weight in d_weights]
    sums = tuple(tf.cast(weight, sum_dtype) for weight in d_weights if weight is not None)
    batch, _, features = static_or_dynamic_shape(inputs)

    def one_segment(index, d_states, sums, d_inputs, all_norms):
        def part(sequence):
            return cut.segment(sequence, index)

        d_part, d_previous, d_weights, part_norms = segment_backward(part, index, d_states)
        d_previous = cross(index, d_previous)
        for new, old in zip(d_previous, d_states, strict=True):
            new.set_shape(old.shape)
        added = [weight for weight in d_weights if weight is not None]
        sums = tuple(total + tf.cast(one, sum_dtype) for total, one in zip(sums, added, strict=True))
        place = cut.place(index)
        all_norms = tuple(tensor_list.set_item(one, place, part_norms) for one in all_norms)
        return index - 1, d_previous, sums, tensor_list.set_item(d_inputs, place, d_part), all_norms

    d_inputs_shape = [batch, segment, features]
    _, d_states, sums, d_inputs, all_norms = tf.while_loop(
        lambda index, *_: index >= 0,
        one_segment,
        (
            tf.convert_to_tensor(cut.whole - 1),
            d_states,
            sums,
            tensor_list.reserve(cut.whole, d_inputs_shape, dtype),
            (tensor_list.reserve(cut.whole, [segment], dtype),) if norms else (),
        ),
        maximum_iterations=cut.whole,
        parallel_iterations=1,
    )
    d_inputs = cut.join(tensor_list.stack(d_inputs, cut.whole, d_inputs_shape, dtype), d_remainder)
    found = iter(sums)
    d_weights = Weights(*(tf.cast(next(found), dtype) if one else None for one in given))
    if not norms:
        return d_inputs, d_states, d_weights, None
    whole_norms = tf.reshape(tensor_list.stack(all_norms[0], cut.whole, [segment], dtype), [-1])
    both = [remainder_norms, whole_norms] if reverse else [whole_norms, remainder_norms]
    return d_inputs, d_states, d_weights, tf.concat(both, axis=0)
