"""The reference cells by the names that the recurrences use for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tests.reference import gru, lstm, simple_rnn
from tests.reference.through_time import Weights


class Cell(NamedTuple):
    step: Callable
    step_gradient: Callable
    gates: int
    states: int
    bias_rows: int | None = None


CELLS = {
    "rnn": Cell(simple_rnn.step, simple_rnn.step_gradient, gates=1, states=1),
    "gru": Cell(gru.step, gru.step_gradient, gates=3, states=1),
    "gru_reset_after": Cell(gru.step_reset_after, gru.step_reset_after_gradient, gates=3, states=1, bias_rows=2),
    "lstm": Cell(lstm.step, lstm.step_gradient, gates=4, states=2),
}


def random_weights(cell: Cell, features: int, units: int, rng: np.random.Generator) -> Weights:
    """Kernel, recurrent kernel and bias in Keras's shapes, large enough to bend every gate."""
    width = cell.gates * units
    return {
        "kernel": rng.normal(0, 0.5, (features, width)),
        "recurrent_kernel": rng.normal(0, 0.5, (units, width)),
        "bias": rng.normal(0, 0.5, (cell.bias_rows, width) if cell.bias_rows else (width,)),
    }
