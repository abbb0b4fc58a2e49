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
from rnnapps.recurrences import gru, gru_reset_after, inference, lstm, simple_rnn
from rnnapps.recurrences.loop import Chunk, scan, static_or_dynamic_shape
from rnnapps.recurrences.time_major import (
    held,
    product,
    rows,
    run_steps,
    stacked,
    swap,
    swapped_mask,
    unmasked,
    with_static_batch,
)
from rnnapps.recurrences.weights import Weights

CELLS = {"rnn": simple_rnn, "gru": gru, "gru_reset_after": gru_reset_after, "lstm": lstm}

States = tuple[tf.Tensor, ...]


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
    if tf.executing_eagerly() and not tf.config.functions_run_eagerly():
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
    if not save and not in_xla():
        outputs, states = inference.forward(
            equations,
            inputs,
            states,
            weights,
            mask=mask,
            recurrent_dropout_mask=recurrent_dropout_mask,
            reverse=reverse,
            keep_outputs=keep_outputs,
        )
        return outputs, states, ()
    weights = equations.to_loop(weights) if save else equations.to_inference(weights)
    input_bias, step_bias = equations.biases(weights)
    after_projection = Weights(None, weights.recurrent_kernel, step_bias)
    mask = swapped_mask(mask)
    # Of what a masked step computes, the backward pass reads what is saved.
    projected = product(unmasked(swap(inputs), mask if save else None), weights.kernel, bias=input_bias)
    states = with_static_batch(tuple(states), inputs)
    batch, units = static_or_dynamic_shape(states[0])

    def step(x: tf.Tensor, states: States, mask: tf.Tensor | None) -> tuple[States, States]:
        if save:
            new_states, saved = equations.step(x, states, after_projection, recurrent_dropout_mask)
        else:
            new_states, saved = equations.inference_step(x, states, after_projection, recurrent_dropout_mask), ()
        return held(mask, new_states, states), saved

    def several_steps(states: States, chunk: Chunk) -> tuple[States, list[tf.Tensor]]:
        masks = None if mask is None else chunk.of(mask)
        return run_steps(step, states, chunk.of(projected), masks, reverse=reverse, keep_outputs=keep_outputs)

    widths = (1,) * keep_outputs + (equations.SAVED if save else ())
    shapes = [(batch, n * units) for n in widths]
    states, kept = scan(several_steps, states, static_or_dynamic_shape(projected)[0], shapes, reverse=reverse)
    outputs = swap(kept.pop(0)) if keep_outputs else None
    return outputs, states, tuple(kept)


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
    if tf.executing_eagerly() and not tf.config.functions_run_eagerly():
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
    mask = swapped_mask(mask)
    d_outputs = None if d_outputs is None else swap(d_outputs)

    def several_steps(carry: States, chunk: Chunk) -> tuple[States, list[tf.Tensor]]:
        d_outputs_t = None if d_outputs is None else tf.unstack(chunk.of(d_outputs))
        direct, *derivatives = equations.local_derivatives(
            tuple(map(chunk.of, saved)), chunk.of(outputs), None if mask is None else chunk.of(mask)
        )
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
        return (d_h, *d_rest), stacked(kept)

    batch, units = static_or_dynamic_shape(states[0])
    shapes = [(batch, n * units) for n in equations.LOCAL] + [()] * norms
    d_states = with_static_batch(d_final_states, inputs)
    steps = static_or_dynamic_shape(outputs)[0]
    d_states, local = scan(several_steps, d_states, steps, shapes, reverse=not reverse)
    norm = local.pop() if norms else None

    def product_with_previous_h(gradient: tf.Tensor) -> tf.Tensor:
        """Σ h_{t-1}ᵀ · gradient_t: one product over the outputs, shifted by a step, and one for the initial state."""
        first, later = (gradient[-1:], gradient[:-1]) if reverse else (gradient[:1], gradient[1:])
        previous, initial = outputs[1:] if reverse else outputs[:-1], states[0]
        if recurrent_dropout_mask is not None:
            previous, initial = previous * recurrent_dropout_mask, initial * recurrent_dropout_mask
        first = tf.reduce_sum(first, axis=0)  # no step gives zeros
        return tf.matmul(rows(previous), rows(later), transpose_a=True) + tf.matmul(initial, first, transpose_a=True)

    d_projected = equations.projected(local)
    d_inputs = swap(product(d_projected, weights.kernel, transpose_b=True))
    d_weights = Weights(
        tf.matmul(rows(unmasked(swap(inputs), mask)), rows(d_projected), transpose_a=True),
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
