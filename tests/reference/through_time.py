"""A step over all steps of a sequence, and its gradients summed over the steps.

A cell is two functions:

    step(x, states, weights) -> (new states, what step_gradient needs)
    step_gradient(saved, d_states, weights) -> (d_x, d_states, d_weights)

with x `(batch, features)`, each state `(batch, units)`, and `weights` and `d_weights` dictionaries with the same keys.
The first state is the output. A mask `(batch, time)` holds the states where it is False.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
Weights = dict[str, Array]


def forward(
    step: Callable, x: Array, states: tuple[Array, ...], weights: Weights, mask: Array | None = None
) -> tuple[Array, tuple[Array, ...], list[Any]]:
    """Outputs `(batch, time, units)`, final states, and the tape for `backward`."""
    outputs, tape = [], []
    for t in range(x.shape[1]):
        new_states, saved = step(x[:, t], states, weights)
        read = np.ones(len(x), bool) if mask is None else mask[:, t]
        states = tuple(np.where(read[:, None], new, old) for new, old in zip(new_states, states, strict=True))
        outputs.append(states[0])
        tape.append((saved, read[:, None]))
    return np.stack(outputs, axis=1), states, tape


def backward(
    step_gradient: Callable, tape: list[Any], d_outputs: Array, d_states: tuple[Array, ...], weights: Weights
) -> tuple[Array, tuple[Array, ...], Weights]:
    """∂L/∂x, ∂L/∂(initial states) and ∂L/∂W = Σ_t ∂L_t/∂W, from the gradients of the outputs and final states."""
    d_weights = {name: np.zeros_like(weight) for name, weight in weights.items()}
    d_inputs = []
    for t in reversed(range(len(tape))):
        saved, read = tape[t]
        d_states = (d_states[0] + d_outputs[:, t], *d_states[1:])
        into_step = tuple(np.where(read, d, 0.0) for d in d_states)
        past_step = tuple(np.where(read, 0.0, d) for d in d_states)  # what a held state passes on as it is
        d_x, d_before, d_weights_t = step_gradient(saved, into_step, weights)
        d_states = tuple(past + before for past, before in zip(past_step, d_before, strict=True))
        for name, d_weight in d_weights_t.items():
            d_weights[name] += d_weight
        d_inputs.append(d_x)
    return np.stack(d_inputs[::-1], axis=1), d_states, d_weights


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def gates(matrix: Array, count: int) -> list[Array]:
    """The parts of a matrix or bias that belong to each gate."""
    return np.split(matrix, count, axis=-1)
