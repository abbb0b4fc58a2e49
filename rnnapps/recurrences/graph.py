"""The graph engine: a recurrence forward and backward through time in TensorFlow's own operations.

It runs in any dtype and on any device, eagerly, in a plain graph and under XLA. What does not depend on the step before
is done for all steps at once: one product projects the inputs before the loop, and one product for each kernel gives
its gradient after the loop. Inside, sequences are time-major, since a step is then a slice without a copy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import tensorflow as tf

from rnnapps.internals import in_xla
from rnnapps.recurrences import gru, gru_reset_after, lstm, simple_rnn
from rnnapps.recurrences.loop import scan, static_or_dynamic_shape
from rnnapps.recurrences.weights import Weights

CELLS = {"rnn": simple_rnn, "gru": gru, "gru_reset_after": gru_reset_after, "lstm": lstm}

States = tuple[tf.Tensor, ...]


def swap(sequence: tf.Tensor) -> tf.Tensor:
    """Batch-major to time-major, or back."""
    return tf.transpose(sequence, [1, 0] + list(range(2, sequence.shape.rank)))


def _rows(sequence: tf.Tensor) -> tf.Tensor:
    return tf.reshape(sequence, [-1, sequence.shape[-1]])


def product(sequence: tf.Tensor, matrix: tf.Tensor, *, transpose_b: bool = False) -> tf.Tensor:
    """`(time, batch, n)` times `(n, m)`, all steps in one product."""
    time, batch, _ = static_or_dynamic_shape(sequence)
    width = matrix.shape[0 if transpose_b else 1]
    return tf.reshape(tf.matmul(_rows(sequence), matrix, transpose_b=transpose_b), [time, batch, width])


def _time_major_mask(mask: tf.Tensor | None) -> tf.Tensor | None:
    return None if mask is None else tf.expand_dims(swap(mask), -1)


def with_static_batch(states: States, inputs: tf.Tensor) -> States:
    """States whose static shapes agree with each other and with the inputs, as a while loop demands."""
    shape = tf.TensorShape([inputs.shape[0], None])
    for state in states:
        shape = shape.merge_with([state.shape[0], None])
    return tuple(tf.ensure_shape(state, [shape[0], state.shape[1]]) for state in states)


def forward(
    cell: str,
    inputs: tf.Tensor,
    states: States,
    weights: Weights,
    *,
    mask: tf.Tensor | None,
    recurrent_dropout_mask: tf.Tensor | None,
    reverse: bool,
    save: bool,
    keep_outputs: bool = True,
) -> tuple[tf.Tensor | None, States, tuple[tf.Tensor, ...]]:
    """Runs a cell over the steps of a sequence.

    Args:
        cell: "rnn", "gru", "gru_reset_after" or "lstm".
        inputs: `(batch, time, features)`; zero steps and an empty batch are fine.
        states: `(h,)` or `(h, c)`, each `(batch, units)`.
        weights: The weights of the cell, in the dtype of the inputs.
        mask: None or bool `(batch, time)`; where it is False the step holds every state.
        recurrent_dropout_mask: None or `(batch, units)`, multiplies h_{t-1} where it enters a product.
        reverse: Whether to read from the last step to the first.
        save: Whether the backward pass will follow.
        keep_outputs: Whether to return the hidden states of all steps; the backward pass needs them too.

    Returns:
        The hidden states after each step `(batch, time, units)`, aligned with the inputs, None without `keep_outputs`;
        the last states; and what else `backward` needs, an empty tuple without `save`.
    """
    if tf.executing_eagerly():
        return _as_graph(forward, cell, inputs.shape[-1], states[0].shape[-1])(
            inputs,
            states,
            weights,
            mask=mask,
            recurrent_dropout_mask=recurrent_dropout_mask,
            reverse=reverse,
            save=save,
            keep_outputs=keep_outputs,
        )
    equations = CELLS[cell]
    weights = equations.to_loop(weights)
    bias = equations.input_bias(weights)

    def project(steps: tf.Tensor) -> tf.Tensor:
        projected = product(steps, weights.kernel)
        return projected if bias is None else projected + bias

    # For inference a chunk is projected in its own iteration: it stays in the processor's cache, while the projected
    # inputs of all steps, several times the size of the inputs, would be written to memory and read again. Rows that
    # have ended are left out. XLA takes fewer steps at once, and fixed shapes.
    inference = not save and not in_xla()
    shorten = inference and mask is not None
    if shorten:
        order, rows = _longest_first(mask)
        back = tf.math.invert_permutation(order)
        inputs, mask, *states = (tf.gather(tensor, order) for tensor in (inputs, mask, *states))
        if recurrent_dropout_mask is not None:
            recurrent_dropout_mask = tf.gather(recurrent_dropout_mask, order)
    sequences = [swap(inputs) if inference else project(swap(inputs))]
    sequences += [_time_major_mask(mask)] if mask is not None else []
    sequences += [rows] if shorten else []
    states = with_static_batch(tuple(states), inputs)
    batch, units = static_or_dynamic_shape(states[0])

    step = _inference_step(cell) if inference else functools.partial(_step, cell, save)
    after_projection = Weights(None, weights.recurrent_kernel, weights.bias)

    def several_steps(states: States, chunks: States) -> tuple[States, list[tf.Tensor]]:
        before, dropped = states, recurrent_dropout_mask
        if shorten:
            *chunks, rows = chunks
            dropped = None if dropped is None else dropped[: rows[0]]
            chunks = [chunk[:, : rows[0]] for chunk in chunks]
            states = tuple(state[: rows[0]] for state in states)
        xs = tf.unstack(project(chunks[0]) if inference else chunks[0])
        # A select of equal shapes takes a fraction of the time of one that broadcasts.
        masks = None
        if mask is not None:
            masks = tf.unstack(tf.broadcast_to(chunks[1], [len(xs), *static_or_dynamic_shape(states[0])]))
        kept = [None] * len(xs)
        for t in reversed(range(len(xs))) if reverse else range(len(xs)):
            states, saved = step(xs[t], states, after_projection, dropped, None if masks is None else masks[t])
            kept[t] = (states[0],) * keep_outputs + saved
        kept = _stacked(kept)
        if shorten:
            ended = tuple(state[rows[0] :] for state in before)
            states = tuple(tf.concat(both, axis=0) for both in zip(states, ended, strict=True))
            held = [tf.broadcast_to(ended[0], [len(xs), *static_or_dynamic_shape(ended[0])])] * keep_outputs
            kept = [tf.concat(both, axis=1) for both in zip(kept, held, strict=True)]
        return states, kept

    widths = (1,) * keep_outputs + (equations.SAVED if save else ())
    shapes = [(batch, n * units) for n in widths]
    states, kept = scan(several_steps, states, sequences, shapes, reverse=reverse, zeros_hold=shorten)
    outputs = swap(kept.pop(0)) if keep_outputs else None
    if shorten:
        states = tuple(tf.gather(state, back) for state in states)
        if keep_outputs:
            outputs = tf.gather(outputs, back)
    return outputs, states, tuple(kept)


def _step(
    cell: str,
    save: bool,
    x: tf.Tensor,
    states: States,
    weights: Weights,
    dropped: tf.Tensor | None,
    mask: tf.Tensor | None,
) -> tuple[States, States]:
    """One step: the new states, those before it where the mask is False, and what the backward pass needs."""
    if save:
        new_states, saved = CELLS[cell].step(x, states, weights, dropped)
    else:
        new_states, saved = CELLS[cell].inference_step(x, states, weights, dropped), ()
    if mask is not None:
        new_states = tuple(tf.where(mask, new, old) for new, old in zip(new_states, states, strict=True))
    return new_states, saved


@functools.cache
def _inference_step(cell: str) -> Callable:
    """A step as a function of its own, which TensorFlow inlines when it runs.

    A graph holds it once, however many steps there are in an iteration: exports are smaller and written sooner.
    """

    def step(
        x: tf.Tensor, states: States, weights: Weights, dropped: tf.Tensor | None, mask: tf.Tensor | None
    ) -> tuple[States, States]:
        return _step(cell, False, x, states, weights, dropped, mask)

    step.__name__ = f"{cell}_step"
    return tf.function(step, autograph=False)


def _longest_first(mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The order of the rows by their last real step, the latest first, and how many rows have not ended at each step.

    Args:
        mask: Bool `(batch, time)`.
    """
    steps = tf.range(tf.shape(mask)[1])
    lengths = tf.reduce_max(tf.where(mask, steps + 1, 0), axis=1)
    rows = tf.reduce_sum(tf.cast(lengths > steps[:, tf.newaxis], tf.int32), axis=1)
    rows.set_shape(mask.shape[1:])
    return tf.argsort(lengths, direction="DESCENDING"), rows


def _stacked(kept: list[tuple[tf.Tensor, ...]]) -> list[tf.Tensor]:
    """One tensor `(steps, ...)` for each place in the tuples of the steps."""
    return [tf.stack(one) for one in zip(*kept, strict=True)]


def backward(
    cell: str,
    inputs: tf.Tensor,
    states: States,
    weights: Weights,
    *,
    mask: tf.Tensor | None,
    recurrent_dropout_mask: tf.Tensor | None,
    reverse: bool,
    outputs: tf.Tensor,
    saved: tuple[tf.Tensor, ...],
    d_outputs: tf.Tensor | None,
    d_final_states: States,
    gradient_clip: float | None,
    norms: bool = True,
) -> tuple[tf.Tensor, States, Weights, tf.Tensor | None]:
    """Backpropagation through time (Werbos 1990) for what `forward` ran.

    Args:
        cell: As given to `forward`.
        inputs: As given to `forward`.
        states: As given to `forward`.
        weights: As given to `forward`.
        mask: As given to `forward`.
        recurrent_dropout_mask: As given to `forward`.
        reverse: As given to `forward`.
        outputs: The hidden states that `forward` returned.
        saved: What else `forward` returned for this pass.
        d_outputs: ∂L/∂outputs, `(batch, time, units)`; None for zeros.
        d_final_states: ∂L/∂(last states).
        gradient_clip: None, or the bound to which every element of ∂L/∂h_t is clipped at every step, after what comes
            from later steps and from the output of the step have been added and before any of it flows on. The
            gradients of an LSTM's cell state and of the initial states are not clipped themselves.
        norms: Whether to return the norms of ∂L/∂h_t.

    Returns:
        The gradients of the inputs, the initial states and the weights, and the L2 norm over batch and units of
        ∂L/∂h_t (after clipping) for every step, `(time,)`, None without `norms`.
    """
    if tf.executing_eagerly():
        return _as_graph(backward, cell, inputs.shape[-1], states[0].shape[-1])(
            inputs,
            states,
            weights,
            mask=mask,
            recurrent_dropout_mask=recurrent_dropout_mask,
            reverse=reverse,
            outputs=outputs,
            saved=saved,
            d_outputs=d_outputs,
            d_final_states=d_final_states,
            gradient_clip=gradient_clip,
            norms=norms,
        )
    equations = CELLS[cell]
    weights = equations.to_loop(weights)
    # Transposed once, before the loop: a product that transposes at every step takes twice as long.
    transposed = tf.nest.map_structure(tf.transpose, weights.recurrent_kernel)
    outputs = swap(outputs)
    mask = _time_major_mask(mask)
    optional = [swap(d_outputs)] if d_outputs is not None else []
    optional += [mask] if mask is not None else []
    sequences = [outputs, *saved, *optional]

    def several_steps(carry: States, chunks: States) -> tuple[States, list[tf.Tensor]]:
        outputs, *chunks = chunks
        saved, optional = chunks[: len(equations.SAVED)], list(chunks[len(equations.SAVED) :])
        d_outputs_t = tf.unstack(optional.pop(0)) if d_outputs is not None else None
        direct, *derivatives = equations.local_derivatives(saved, outputs, optional.pop() if optional else None)
        direct = None if direct is None else tf.unstack(direct)
        derivatives = list(zip(*(tf.unstack(derivative) for derivative in derivatives), strict=True))
        kept = [None] * len(derivatives)
        d_h, *d_rest = carry
        for t in range(len(derivatives)) if reverse else reversed(range(len(derivatives))):
            if d_outputs_t is not None:
                d_h = d_h + d_outputs_t[t]
            if gradient_clip is not None:
                d_h = tf.clip_by_value(d_h, -gradient_clip, gradient_clip)
            norm = (tf.norm(d_h),) if norms else ()
            d_previous_h, d_rest, local = equations.step_back(d_h, d_rest, derivatives[t], transposed)
            if recurrent_dropout_mask is not None:
                d_previous_h = d_previous_h * recurrent_dropout_mask
            d_h = d_previous_h if direct is None else d_previous_h + d_h * direct[t]
            kept[t] = (*local, *norm)
        return (d_h, *d_rest), _stacked(kept)

    batch, units = static_or_dynamic_shape(states[0])
    shapes = [(batch, n * units) for n in equations.LOCAL] + [()] * norms
    d_states = with_static_batch(d_final_states, inputs)
    d_states, local = scan(several_steps, d_states, sequences, shapes, reverse=not reverse)
    norm = local.pop() if norms else None

    def product_with_previous_h(gradient: tf.Tensor) -> tf.Tensor:
        """Σ h_{t-1}ᵀ · gradient_t: one product over the outputs, shifted by a step, and one for the initial state."""
        first, later = (gradient[-1:], gradient[:-1]) if reverse else (gradient[:1], gradient[1:])
        previous, initial = outputs[1:] if reverse else outputs[:-1], states[0]
        if recurrent_dropout_mask is not None:
            previous, initial = previous * recurrent_dropout_mask, initial * recurrent_dropout_mask
        first = tf.reduce_sum(first, axis=0)  # no step gives zeros
        return tf.matmul(_rows(previous), _rows(later), transpose_a=True) + tf.matmul(initial, first, transpose_a=True)

    d_projected = equations.projected(local)
    d_inputs = swap(product(d_projected, weights.kernel, transpose_b=True))
    d_weights = Weights(
        tf.matmul(_rows(swap(inputs)), _rows(d_projected), transpose_a=True),
        equations.recurrent_kernel(local, saved, product_with_previous_h),
        None if weights.bias is None else equations.bias(local, lambda one: tf.reduce_sum(one, axis=[0, 1])),
    )
    return d_inputs, d_states, equations.from_loop(d_weights), norm


@functools.cache
def _as_graph(function: Callable, cell: str, features: int, units: int) -> Callable:
    """The loop as a graph for eager calls: operation by operation it would take many times as long.

    There is one TensorFlow function for each pair of widths, so other lengths and batch sizes cause new traces only
    until TensorFlow has seen that they change.
    """
    return tf.function(functools.partial(function, cell), reduce_retracing=True, autograph=False)
