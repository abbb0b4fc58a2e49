"""The native engine: the recurrences as C++ CPU ops for float32 (`rnnapps.native`); results as of the graph engine.

It has the same two functions as `graph`. The forward op projects the inputs and runs over the steps. The backward op
runs back and leaves the gradients of all pre-activations, from which two further ops compute the gradients of the
inputs and of the weights. A graph that does not use the gradient of the inputs drops the op for it.
"""

from __future__ import annotations

import math

import tensorflow as tf

from rnnapps import native
from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]


def _optional(tensor: tf.Tensor | None) -> list[tf.Tensor]:
    return [] if tensor is None else [tensor]


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
) -> tuple[tf.Tensor, States, tuple[tf.Tensor, ...]]:
    """Runs a cell over the steps of a sequence; arguments and results as of `graph.forward`, float32 on CPU.

    It returns the outputs even without `keep_outputs`, since the op writes them in any case.
    """
    outputs, final_states, values = native.library().rnnapps_forward(
        inputs=inputs,
        states=list(states),
        kernel=weights.kernel,
        recurrent_kernel=weights.recurrent_kernel,
        bias=_optional(weights.bias),
        mask=_optional(mask),
        dropout=_optional(recurrent_dropout_mask),
        cell=cell,
        reverse=reverse,
        save=save,
    )
    return outputs, tuple(final_states), (values,) if save else ()


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
) -> tuple[tf.Tensor, States, Weights, tf.Tensor]:
    """Runs back through time; arguments and results as of `graph.backward`, float32 on CPU."""
    library = native.library()
    (values,) = saved
    mask, dropout = _optional(mask), _optional(recurrent_dropout_mask)
    gradients, d_states, d_hidden_norm = library.rnnapps_backward(
        states=list(states),
        recurrent_kernel=weights.recurrent_kernel,
        mask=mask,
        dropout=dropout,
        outputs=outputs,
        values=values,
        d_outputs=tf.zeros_like(outputs) if d_outputs is None else d_outputs,
        d_final_states=list(d_final_states),
        cell=cell,
        reverse=reverse,
        clip=math.inf if gradient_clip is None else gradient_clip,
    )
    d_inputs = library.rnnapps_input_gradient(
        kernel=weights.kernel, mask=mask, outputs=outputs, gradients=gradients, cell=cell
    )
    d_kernel, d_recurrent_kernel, d_bias = library.rnnapps_weight_gradients(
        inputs=inputs,
        state=states[0],
        mask=mask,
        dropout=dropout,
        outputs=outputs,
        gradients=gradients,
        cell=cell,
        reverse=reverse,
        bias_count=len(_optional(weights.bias)),
    )
    d_weights = Weights(d_kernel, d_recurrent_kernel, d_bias[0] if d_bias else None)
    return d_inputs, tuple(d_states), d_weights, d_hidden_norm
