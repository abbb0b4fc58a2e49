"""The cuDNN engine: on a GPU, the call that Keras makes, and its gradient.

cuDNN runs all steps of an LSTM, or of a GRU with `reset_after`, in one kernel, for sequences that are right-padded if
they are masked at all. Where a mask has holes, or there is nothing to run over, the graph engine takes over, which is
known only when the mask is: both are in the function then, under a condition.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from rnnapps.recurrences import xla
from rnnapps.recurrences.graph import CELLS
from rnnapps.recurrences.weights import Weights

States = tuple[tf.Tensor, ...]

OPERATIONS = ("CudnnRNNV3", "CudnnRNNBackpropV3")
MODES = {"lstm": "lstm", "gru_reset_after": "gru"}
# The gates in the order of cuDNN (and of AMD's MIOpen), by their place in Keras's: i, f, g, o and z, r, n.
ORDERS = {"lstm": (0, 1, 2, 3), "gru_reset_after": (1, 0, 2)}
ORDERS_ON_AMD = {"lstm": (0, 1, 3, 2), "gru_reset_after": (0, 1, 2)}


def not_served(
    cell: str, *, use_bias: bool, recurrent_dropout: bool, gradient_clip: float | None, norms: bool
) -> str | None:
    """What cuDNN has no kernel for, or None if it can run this recurrence.

    Args:
        cell: "rnn", "gru", "gru_reset_after" or "lstm".
        use_bias: Whether there is a bias.
        recurrent_dropout: Whether there may be a recurrent dropout mask.
        gradient_clip: Bound on the gradient of every step, or None.
        norms: Whether the norm of the gradient of every step is wanted.
    """
    if cell not in MODES:
        return {"rnn": "SimpleRNN", "gru": "reset_after=False"}[cell]
    if not use_bias:
        return "use_bias=False"
    if recurrent_dropout:
        return "recurrent_dropout"
    if gradient_clip is not None:
        return "gradient_clip"
    return "the norms of the gradients of single steps" if norms else None


def to_parameters(cell: str, weights: Weights) -> tf.Tensor:
    """All weights as the one vector that cuDNN takes.

    First the matrices, transposed, then the biases, each for the inputs and for the hidden state, gate by gate.
    """
    order = _order(cell)
    count = len(order)
    matrices = [tf.split(kernel, count, axis=1) for kernel in (weights.kernel, weights.recurrent_kernel)]
    # cuDNN has two biases also where Keras has one: the first is zero then.
    two = weights.bias if cell == "gru_reset_after" else tf.stack([tf.zeros_like(weights.bias), weights.bias])
    biases = [tf.split(bias, count) for bias in tf.unstack(two)]
    parts = [tf.reshape(tf.transpose(of_gates[gate]), [-1]) for of_gates in matrices for gate in order]
    return tf.concat(parts + [of_gates[gate] for of_gates in biases for gate in order], axis=0)


def from_parameters(cell: str, parameters: tf.Tensor, features: int, units: int) -> Weights:
    """The way back from `to_parameters`, for the gradients."""
    order = _order(cell)
    count = len(order)
    places = [order.index(gate) for gate in range(count)]
    sizes = [features * units] * count + [units * units] * count + [units] * 2 * count
    parts = tf.split(parameters, sizes)

    def matrix(first: int, rows: int) -> tf.Tensor:
        gates = [tf.transpose(tf.reshape(parts[first + place], [units, rows])) for place in places]
        return tf.concat(gates, axis=1)

    def bias(first: int) -> tf.Tensor:
        return tf.concat([parts[first + place] for place in places], axis=0)

    biases = tf.stack([bias(2 * count), bias(3 * count)]) if cell == "gru_reset_after" else bias(3 * count)
    return Weights(matrix(0, features), matrix(count, units), biases)


def _order(cell: str) -> tuple[int, ...]:
    return (ORDERS_ON_AMD if tf.sysconfig.get_build_info()["is_rocm_build"] else ORDERS)[cell]


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
    """Runs a cell over the steps of a sequence; arguments and results as of `graph.forward`.

    It returns the outputs even without `keep_outputs`, since the kernel writes them in any case.
    """
    count = len(states)
    saved_by_graph = len(CELLS[cell].SAVED)

    def in_one_kernel() -> list[tf.Tensor]:
        outputs, last, saved = _kernel(cell, inputs, states, weights, mask, reverse)
        return [outputs, *last, *(saved + _blanks(saved_by_graph, inputs.dtype) if save else [])]

    def step_by_step() -> list[tf.Tensor]:
        outputs, last, saved = xla.forward(
            cell, inputs, states, weights, mask=mask, recurrent_dropout_mask=None, reverse=reverse, save=save
        )
        blanks = [*_blanks(1, inputs.dtype), tf.zeros(0, tf.int8), *_blanks(2, inputs.dtype)]
        return [outputs, *last, *(blanks + list(saved) if save else [])]

    outputs, *rest = _if_served(inputs, mask, in_one_kernel, step_by_step)
    outputs.set_shape([*inputs.shape[:2], states[0].shape[-1]])
    for last, first in zip(rest, states, strict=False):
        last.set_shape(first.shape)
    return outputs, tuple(rest[:count]), tuple(rest[count:])


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
    norms: bool = False,
) -> tuple[tf.Tensor, States, Weights, None]:
    """Runs back through time; arguments and results as of `graph.backward`, without clipping and norms."""
    if d_outputs is None:
        d_outputs = tf.zeros_like(outputs)
    of_kernel, of_graph = saved[:4], saved[4:]

    def in_one_kernel() -> list[tf.Tensor]:
        d_inputs, d_states, d_weights = _kernel_backward(
            cell, inputs, states, weights, mask, reverse, outputs, of_kernel, d_outputs, d_final_states
        )
        return [d_inputs, *d_states, *d_weights]

    def step_by_step() -> list[tf.Tensor]:
        widths = [width * states[0].shape[-1] for width in CELLS[cell].SAVED]  # a condition forgets them
        of_steps = [tf.ensure_shape(one, [None, None, width]) for one, width in zip(of_graph, widths, strict=True)]
        d_inputs, d_states, d_weights, _ = xla.backward(
            cell,
            inputs,
            states,
            weights,
            mask=mask,
            recurrent_dropout_mask=None,
            reverse=reverse,
            outputs=outputs,
            saved=tuple(of_steps),
            d_outputs=d_outputs,
            d_final_states=d_final_states,
            gradient_clip=None,
            norms=False,
        )
        return [d_inputs, *d_states, *d_weights]

    d_inputs, *rest = _if_served(inputs, mask, in_one_kernel, step_by_step)
    for gradient, value in zip([d_inputs, *rest], [inputs, *states, *weights], strict=True):
        gradient.set_shape(value.shape)
    return d_inputs, tuple(rest[:-3]), Weights(*rest[-3:]), None


def _if_served(
    inputs: tf.Tensor, mask: tf.Tensor | None, in_one_kernel: Callable, step_by_step: Callable
) -> list[tf.Tensor]:
    """Calls the first function where cuDNN can run, else the second; both where it depends on what comes."""
    known = inputs.shape.num_elements()
    if known == 0:
        return step_by_step()
    if mask is None and known is not None:
        return in_one_kernel()
    served = tf.size(inputs) > 0
    if mask is not None:
        right_padded = tf.reduce_all(tf.logical_or(mask[:, :-1], tf.logical_not(mask[:, 1:])))
        served = tf.logical_and(served, right_padded)
    return tf.cond(served, in_one_kernel, step_by_step)


def _blanks(count: int, dtype: tf.DType) -> list[tf.Tensor]:
    """Placeholders for tensors that only the other branch saves."""
    return [tf.zeros([0] * 3, dtype)] * count


def _lengths(inputs: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    batch, steps = tf.unstack(tf.shape(inputs)[:2])
    if mask is None:
        return tf.fill([batch], steps)
    # cuDNN takes no sequence without a step: it is given one, whose result is discarded.
    return tf.maximum(1, tf.reduce_sum(tf.cast(mask, tf.int32), axis=1))


def _reversed(sequence: tf.Tensor, lengths: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """The real steps in the other order, padding after them as before."""
    return tf.reverse(sequence, [1]) if mask is None else tf.reverse_sequence(sequence, lengths, seq_axis=1)


def _kernel(
    cell: str, inputs: tf.Tensor, states: States, weights: Weights, mask: tf.Tensor | None, reverse: bool
) -> tuple[tf.Tensor, States, list[tf.Tensor]]:
    """One call of cuDNN: the outputs and last states as of `forward`, and what its backward kernel asks for."""
    lengths = _lengths(inputs, mask)
    outputs, h, c, reserve, host_reserve = tf.raw_ops.CudnnRNNV3(
        input=_reversed(inputs, lengths, mask) if reverse else inputs,
        **_start(states),
        params=to_parameters(cell, weights),
        sequence_lengths=lengths,
        rnn_mode=MODES[cell],
        is_training=True,
        time_major=False,
    )
    if reverse:
        outputs = _reversed(outputs, lengths, mask)
    last = [tf.squeeze(state, axis=1) for state in (h, c)[: len(states)]]
    if mask is not None:
        any_step = tf.reduce_any(mask, axis=1, keepdims=True)
        last = [tf.where(any_step, new, old) for new, old in zip(last, states, strict=True)]
        held = states[0] if reverse else last[0]  # cuDNN puts out zeros at padding; a recurrence holds its state
        outputs = tf.where(mask[:, :, tf.newaxis], outputs, held[:, tf.newaxis])
    return outputs, tuple(last), [reserve, host_reserve, h, c]


def _start(states: States) -> dict[str, tf.Tensor]:
    """The initial states as cuDNN takes them, `(batch, 1, units)` for one layer in one direction."""
    h, *c = (tf.expand_dims(state, axis=1) for state in states)
    return {"input_h": h, "input_c": c[0] if c else tf.zeros([], h.dtype)}


def _kernel_backward(
    cell: str,
    inputs: tf.Tensor,
    states: States,
    weights: Weights,
    mask: tf.Tensor | None,
    reverse: bool,
    outputs: tf.Tensor,
    saved: tuple[tf.Tensor, ...],
    d_outputs: tf.Tensor,
    d_final_states: States,
) -> tuple[tf.Tensor, States, Weights]:
    lengths = _lengths(inputs, mask)
    reserve, host_reserve, h, c = saved
    d_last = list(d_final_states)
    d_held = [tf.zeros_like(state) for state in states]
    if mask is not None:
        real = mask[:, :, tf.newaxis]
        any_step = tf.reduce_any(mask, axis=1, keepdims=True)
        # The gradients of the outputs at padding belong to the state that was held there: the last, or reading
        # backwards the first. In a sequence without a step the last state is the first.
        at_padding = tf.reduce_sum(tf.where(real, tf.zeros_like(d_outputs), d_outputs), axis=1)
        if reverse:
            d_held[0] = at_padding
        else:
            d_last[0] = d_last[0] + at_padding
        d_held = [
            held + tf.where(any_step, tf.zeros_like(last), last) for held, last in zip(d_held, d_last, strict=True)
        ]
        d_last = [tf.where(any_step, last, 0) for last in d_last]
        outputs, d_outputs = tf.where(real, outputs, 0), tf.where(real, d_outputs, 0)
    if reverse:
        inputs, outputs, d_outputs = (_reversed(one, lengths, mask) for one in (inputs, outputs, d_outputs))
    d_h, *d_c = (tf.expand_dims(state, axis=1) for state in d_last)
    d_inputs, d_first_h, d_first_c, d_parameters = tf.raw_ops.CudnnRNNBackpropV3(
        input=inputs,
        **_start(states),
        params=to_parameters(cell, weights),
        sequence_lengths=lengths,
        output=outputs,
        output_h=h,
        output_c=c,
        output_backprop=d_outputs,
        output_h_backprop=d_h,
        output_c_backprop=d_c[0] if d_c else tf.zeros_like(c),
        reserve_space=reserve,
        host_reserved=host_reserve,
        rnn_mode=MODES[cell],
        time_major=False,
    )
    if reverse:
        d_inputs = _reversed(d_inputs, lengths, mask)
    if mask is not None:
        d_inputs = tf.where(real, d_inputs, 0)
    d_first = [tf.squeeze(state, axis=1) for state in (d_first_h, d_first_c)[: len(states)]]
    d_states = tuple(first + held for first, held in zip(d_first, d_held, strict=True))
    d_weights = from_parameters(cell, d_parameters, inputs.shape[-1], states[0].shape[-1])
    return d_inputs, d_states, d_weights
