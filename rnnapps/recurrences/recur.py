"""`recur`: one differentiable recurrence over a sequence, whichever engine runs it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from numbers import Integral
from types import ModuleType
from typing import Any

import tensorflow as tf

from rnnapps import internals
from rnnapps.recurrences import cudnn, differentiable, graph, segments
from rnnapps.recurrences.engines import choose
from rnnapps.recurrences.weights import Weights


@tf.autograph.experimental.do_not_convert
def recur(
    cell: str,
    inputs: tf.Tensor,
    states: Sequence[tf.Tensor],
    weights: Weights,
    *,
    mask: tf.Tensor | None = None,
    recurrent_dropout_mask: tf.Tensor | None = None,
    go_backwards: bool = False,
    truncate: int | None = None,
    checkpoint_every: int | None = None,
    gradient_clip: float | None = None,
    engine: str = "auto",
    use_cudnn: bool = True,
    probe: tf.Tensor | None = None,
    return_sequences: bool = True,
) -> tuple[tf.Tensor | None, tuple[tf.Tensor, ...]]:
    """Runs a recurrent cell over the steps of a sequence.

    The backward pass through time is written by hand. Derivatives of it, and forward mode, come from TensorFlow, at the
    price of running the recurrence once more (see `differentiable.py`).

    Args:
        cell: "rnn", "gru", "gru_reset_after" or "lstm".
        inputs: `(batch, time, features)`, float; input dropout is the caller's. No steps and no rows are fine.
        states: The initial `[h]`, for "lstm" `[h, c]`, each `(batch, units)` in the dtype of the inputs.
        weights: Tensors in the dtype of the inputs, with Keras's shapes and order of gates.
        mask: None or bool `(batch, time)`. Where it is False the step holds every state, and its output is that state.
        recurrent_dropout_mask: None or `(batch, units)`, multiplies h_{t-1} where it enters a product. It has no
            gradient.
        go_backwards: Whether to read from the last step to the first.
        truncate: Number of steps after which gradients stop on their way back (truncated BPTT). None: they never do.
        checkpoint_every: A number k: keep only the states of every k-th step and recompute the rest in the backward
            pass: less memory for about a third more time. None: keep all.
        gradient_clip: Bound on every element of ∂L/∂h_t, at every step on its way back. None: no bound.
        engine: "cudnn", "graph", "native", or "auto" for the fastest that can run here.
        use_cudnn: Whether "auto" may be cuDNN.
        probe: None, or zeros `(time,)`, float. They change no result, but their gradient on a tape is the L2 norm over
            batch and units of ∂L/∂h_t, step by step.
        return_sequences: Whether to return the hidden states of all steps, or only the last states.

    Returns:
        The hidden state after each step, `(batch, time, units)`, aligned with the inputs also when read backwards, None
        without `return_sequences`; and the last states, a tuple.

    Raises:
        ValueError: If an option is out of its range, or neither of `truncate` and `checkpoint_every` divides the other.
        RuntimeError: If an engine is asked for by name and cannot run here.

    Example:
        >>> weights = Weights(tf.ones((3, 2)), tf.eye(2), tf.zeros(2))
        >>> outputs, (h,) = recur("rnn", tf.zeros((1, 5, 3)), [tf.zeros((1, 2))], weights)
        >>> outputs.shape
        TensorShape([1, 5, 2])
    """
    if cell not in graph.CELLS:
        raise ValueError(f"cell must be one of {', '.join(graph.CELLS)}, got {cell!r}")
    segment = segment_length(truncate, checkpoint_every)
    if gradient_clip is not None and not gradient_clip > 0:
        raise ValueError(f"gradient_clip must be a positive number or None, got {gradient_clip!r}")
    no_cudnn = cudnn.not_served(
        cell,
        use_bias=weights.bias is not None,
        recurrent_dropout=recurrent_dropout_mask is not None,
        gradient_clip=gradient_clip,
        norms=probe is not None,
    )
    module = choose(engine, inputs.dtype, no_cudnn if use_cudnn else "use_cudnn=False")
    forward, backward = _passes(module, segment, truncate)
    count = len(states)
    masks = {"mask": mask, "recurrent_dropout_mask": recurrent_dropout_mask}
    constants = tuple(one for one in masks.values() if one is not None)
    probes = () if probe is None else (probe,)
    options = {"gradient_clip": gradient_clip, "norms": probe is not None}

    def unpack(arguments: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tuple[tf.Tensor, ...], Weights, dict[str, Any]]:
        states = tuple(arguments[1 : 1 + count])
        present = arguments[1 + count : len(arguments) - len(probes) - len(constants)]
        # What a function of gradients reads must be among its arguments.
        left = list(arguments[len(arguments) - len(constants) :])
        fixed = {name: None if one is None else left.pop(0) for name, one in masks.items()}
        return arguments[0], states, Weights(*present), {**fixed, "reverse": go_backwards}

    @tf.custom_gradient
    def run(*arguments: tf.Tensor):
        inputs, states, weights, fixed = unpack(arguments)
        # Without an active tape nothing is kept. If a gradient is wanted after all (a tape around a function that was
        # traced without one), the backward pass below runs forward once more.
        save = internals.tape_may_record()
        # Where every step is saved, the backward pass needs the hidden states too.
        keep_outputs = return_sequences or (save and segment is None)
        # Under two nested tapes TensorFlow would differentiate the loop itself, for nothing.
        with internals.stop_recording():
            outputs, final_states, saved = forward(
                cell, inputs, states, weights, save=save, keep_outputs=keep_outputs, **fixed
            )
        saved = (outputs, *saved) if save and segment is None else saved

        @tf.custom_gradient
        def gradient(*everything: tf.Tensor):
            # In the graph of a backward function its own tensors, since what differentiates it finds only those.
            if not tf.executing_eagerly():
                everything = tuple(map(tf.identity, everything))
            kept, d_results = everything[: len(saved)], everything[len(saved) : len(saved) + len(results)]
            arguments = everything[len(saved) + len(results) :]
            inputs, states, weights, fixed = unpack(arguments)
            outputs = None
            with internals.stop_recording():
                if not save:
                    outputs, _, kept = forward(cell, inputs, states, weights, save=True, **fixed)
                elif segment is None:
                    outputs, *kept = kept
                d_inputs, d_states, d_weights, norms = backward(
                    cell,
                    inputs,
                    states,
                    weights,
                    outputs=outputs,
                    saved=tuple(kept),
                    d_outputs=d_results[0] if return_sequences else None,
                    d_final_states=tuple(d_results[-count:]),
                    **options,
                    **fixed,
                )
            d_probes = [tf.cast(norms, probe.dtype) for probe in probes]

            def again(*d_gradients: tf.Tensor | tf.IndexedSlices):
                """The gradient of this gradient: `saved` counts as the function of the arguments that it is."""
                d_gradients = tuple(None if one is None else tf.convert_to_tensor(one) for one in d_gradients)
                d_results_and_arguments = differentiable.second_order(
                    cell,
                    arguments[: len(arguments) - len(probes) - len(constants)],
                    d_results,
                    d_gradients[: len(d_gradients) - len(probes)],
                    truncate=truncate,
                    gradient_clip=gradient_clip,
                    return_sequences=return_sequences,
                    **fixed,
                )
                d_probes = [tf.zeros_like(probe) for probe in probes]
                return [None] * len(saved) + d_results_and_arguments + d_probes + [None] * len(constants)

            return [d_inputs, *d_states, *(weight for weight in d_weights if weight is not None), *d_probes], again

        def first_order(*d_results: tf.Tensor | tf.IndexedSlices):
            # The gradient of `tf.gather`, for one, comes as slices.
            gradients = gradient(*saved, *map(tf.convert_to_tensor, d_results), *arguments)
            return [*gradients, *[None] * len(constants)]

        results = (outputs, *final_states) if return_sequences else tuple(final_states)
        return results, first_order

    if inputs.shape[-1] is None:
        inputs = tf.ensure_shape(inputs, [*inputs.shape[:-1], weights.kernel.shape[0]])
    present = [weight for weight in weights if weight is not None]
    # Variables are read here: `custom_gradient` would ask for their gradients otherwise.
    arguments = tuple(map(tf.convert_to_tensor, (inputs, *states, *present, *probes, *constants)))
    if not tf.executing_eagerly() and internals.have_tangents(arguments):
        # Forward mode in a graph looks into custom gradients, and at a function from outside.
        run = tf.function(run, autograph=False)
    results = run(*arguments)
    return (results[0], tuple(results[1:])) if return_sequences else (None, tuple(results))


def segment_length(truncate: int | None, checkpoint_every: int | None) -> int | None:
    """Number of steps between kept states, None to keep those of every step.

    Raises:
        ValueError: If one is not a positive integer, or neither divides the other.
    """
    for name, steps in (("truncate", truncate), ("checkpoint_every", checkpoint_every)):
        whole = isinstance(steps, Integral) and not isinstance(steps, bool)
        if steps is not None and (not whole or steps < 1):
            raise ValueError(f"{name} must be a positive number of steps or None, got {steps!r}")
    if truncate is None or checkpoint_every is None:
        return truncate or checkpoint_every
    shorter = math.gcd(truncate, checkpoint_every)
    if shorter not in (truncate, checkpoint_every):
        raise ValueError(
            "one of truncate and checkpoint_every must be a multiple of the other, "
            f"got truncate={truncate} and checkpoint_every={checkpoint_every}"
        )
    return shorter


def _passes(module: ModuleType, segment: int | None, truncate: int | None):
    if segment is None:
        return module.forward, module.backward
    return partial(segments.forward, module, segment), partial(segments.backward, module, segment, truncate)
