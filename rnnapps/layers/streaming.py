"""Recurrent layers that read a sequence chunk by chunk, with their states by name."""

from __future__ import annotations

import tensorflow as tf

from rnnapps.layers.bidirectional import Bidirectional
from rnnapps.layers.stacked import Stacked

States = dict[str, tf.Tensor]


def stream_states(stack: Stacked, batch_size: int | tf.Tensor) -> States:
    """The states before the first chunk, by the name of the stack: `recurrent_0`, `recurrent_1` and so on.

    Raises:
        ValueError: A layer reads in both directions.
    """
    if any(isinstance(layer, Bidirectional) for layer in stack.layers):
        raise ValueError("a bidirectional model reads the end first and cannot stream; train one with causal=True")
    return _named(stack, stack.get_initial_state(batch_size))


def stream_recurrent(stack: Stacked, chunk: tf.Tensor, states: States) -> tuple[tf.Tensor, States]:
    """The outputs of a chunk, and the states after it.

    Args:
        stack: Layers that return their states.
        chunk: Float `(batch, time, features)`, any number of steps.
        states: From `stream_states` or the call before; others may be among them.
    """
    own = [states[name] for name in states if name.startswith(f"{stack.name}_")]
    outputs, *own = stack(chunk, initial_state=own)
    return outputs, _named(stack, own)


def _named(stack: Stacked, states: list[tf.Tensor]) -> States:
    return {f"{stack.name}_{number}": state for number, state in enumerate(states)}
