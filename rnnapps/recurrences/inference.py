"""The forward pass of the graph engine where no backward pass follows: what an export runs.

A chunk of steps is projected in its own iteration: it stays in the processor's cache, while the projected inputs of all
steps, several times the size of the inputs, would be written to memory and read again. Of a batch with a mask the rows
are sorted by length, and those that have ended are left out.

On one row, time goes into the number of operations rather than into what they compute. So the loop takes no shapes
apart, and cuts a chunk out of a sequence in one slice.
"""

from __future__ import annotations

from types import ModuleType

import tensorflow as tf

from rnnapps.recurrences.loop import UNROLL, Chunk, scan, static_or_dynamic_shape
from rnnapps.recurrences.time_major import held, product, run_steps, swap, swapped_mask, with_static_batch
from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]


def forward(
    equations: ModuleType,
    inputs: tf.Tensor,
    states: States,
    weights: Weights,
    *,
    mask: tf.Tensor | None,
    recurrent_dropout_mask: tf.Tensor | None,
    reverse: bool,
    keep_outputs: bool,
) -> tuple[tf.Tensor | None, States]:
    """Runs a cell over the steps of a sequence; not for XLA, which wants fixed shapes.

    Args:
        equations: The module of the cell, such as `lstm`.
        inputs: As for `graph.forward`.
        states: As for `graph.forward`.
        weights: As for `graph.forward`.
        mask: As for `graph.forward`.
        recurrent_dropout_mask: As for `graph.forward`.
        reverse: As for `graph.forward`.
        keep_outputs: As for `graph.forward`.

    Returns:
        The hidden states after each step `(batch, time, units)`, None without `keep_outputs`; and the last states.
    """
    batch, steps = static_or_dynamic_shape(inputs)[:2]
    running, back = None, None
    if mask is not None:
        order, running = _longest_first(mask, batch)
        back = tf.math.invert_permutation(order)
        inputs, mask, *states = (tf.gather(tensor, order) for tensor in (inputs, mask, *states))
        if recurrent_dropout_mask is not None:
            recurrent_dropout_mask = tf.gather(recurrent_dropout_mask, order)
    states = with_static_batch(tuple(states), inputs)
    inputs, mask = swap(inputs), swapped_mask(mask)
    # Masked steps hold the states, so a sequence of unknown length gets a few more: one loop instead of two.
    padded = mask is not None and not isinstance(steps, int)
    missing = -steps % UNROLL if padded else 0
    if padded:
        inputs, mask = _longer(inputs, missing), _longer(mask, missing)

    weights = equations.to_inference(weights)
    input_bias, step_bias = equations.biases(weights)
    after_projection = Weights(None, weights.recurrent_kernel, step_bias)

    def run(states: States, dropped: tf.Tensor | None, xs: tf.Tensor, mask: tf.Tensor | None):
        def step(x: tf.Tensor, states: States, mask: tf.Tensor | None) -> tuple[States, tuple]:
            return held(mask, equations.inference_step(x, states, after_projection, dropped), states), ()

        return run_steps(
            step,
            states,
            product(xs, weights.kernel, bias=input_bias),
            mask,
            reverse=reverse,
            keep_outputs=keep_outputs,
        )

    def several_steps(states: States, chunk: Chunk) -> tuple[States, list[tf.Tensor]]:
        if running is None:
            return run(states, recurrent_dropout_mask, chunk.of(inputs), None)
        count = tf.gather(running, chunk.start)  # of the first step in time: none of the chunk has more
        first, size = tf.stack([chunk.start, 0, 0]), tf.stack([chunk.count, count, -1])
        xs, masks = (tf.slice(sequence, first, size) for sequence in (inputs, mask))
        xs.set_shape([chunk.count, None, inputs.shape[-1]])
        parts = tf.stack([count, -1])
        going, ended = zip(*(tf.split(state, parts) for state in states), strict=True)
        dropped = None if recurrent_dropout_mask is None else recurrent_dropout_mask[:count]
        going, kept = run(going, dropped, xs, masks)
        states = tuple(tf.concat(both, axis=0) for both in zip(going, ended, strict=True))
        unchanged = tf.tile(tf.expand_dims(ended[0], 0), [chunk.count, 1, 1])
        return states, [tf.concat([one, unchanged], axis=1) for one in kept]

    shapes = [static_or_dynamic_shape(states[0])] * keep_outputs
    states, kept = scan(several_steps, states, steps + missing, shapes, reverse=reverse, whole=padded)
    outputs = swap(kept[0][:steps] if padded else kept[0]) if keep_outputs else None
    if back is not None:
        states = tuple(tf.gather(state, back) for state in states)
        outputs = None if outputs is None else tf.gather(outputs, back)
    return outputs, states


def _longest_first(mask: tf.Tensor, batch: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The order of the rows by their last real step, the latest first, and how many rows run on at each step.

    One row always does, since TensorFlow Lite refuses tensors without elements; the mask holds its states.

    Args:
        mask: Bool `(batch, time)`.
        batch: The batch of the inputs; a mask of fewer rows is an error.
    """
    runs = tf.cast(tf.cumsum(tf.cast(mask, tf.int32), axis=1, reverse=True) > 0, tf.int32)
    order = tf.math.top_k(tf.reduce_sum(runs, axis=1), batch).indices
    return order, tf.maximum(tf.reduce_sum(runs, axis=0), tf.minimum(batch, 1))


def _longer(sequence: tf.Tensor, missing: tf.Tensor) -> tf.Tensor:
    """`(time, ...)` with so many steps of zeros after it."""
    longer = tf.pad(sequence, [[0, missing], [0, 0], [0, 0]])
    longer.set_shape([None, *sequence.shape[1:]])
    return longer
