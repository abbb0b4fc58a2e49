"""The hand-written gradients against differences of the loss."""

from __future__ import annotations

import numpy as np
import pytest

from tests.reference.cells import CELLS, random_weights
from tests.reference.simple_rnn import read_out, read_out_gradient
from tests.reference.through_time import backward, forward


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_are_the_slope_of_the_loss(name: str, masked: bool) -> None:
    cell, rng = CELLS[name], np.random.default_rng(0)
    batch, time, features, units = 2, 4, 3, 2
    x = rng.normal(size=(batch, time, features))
    states = tuple(rng.normal(size=(batch, units)) for _ in range(cell.states))
    weights = random_weights(cell, features, units, rng)
    mask = rng.random((batch, time)) < 0.6 if masked else None
    d_outputs = rng.normal(size=(batch, time, units))
    d_states = tuple(rng.normal(size=state.shape) for state in states)

    def loss() -> float:
        outputs, final, _ = forward(cell.step, x, states, weights, mask)
        return np.sum(outputs * d_outputs) + sum(np.sum(s * d) for s, d in zip(final, d_states, strict=True))

    _, _, tape = forward(cell.step, x, states, weights, mask)
    d_x, d_first, d_weights = backward(cell.step_gradient, tape, d_outputs, d_states, weights)
    pairs = [(x, d_x), *zip(states, d_first, strict=True), *((weights[key], d_weights[key]) for key in weights)]
    for array, gradient in pairs:
        np.testing.assert_allclose(gradient, slope(loss, array), atol=1e-7)


def test_output_layer_gradients_are_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(1)
    h, d_y = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 3, 5))
    weights = {"output_kernel": rng.normal(size=(4, 5)), "output_bias": rng.normal(size=5)}
    d_h, d_weights = read_out_gradient(h, d_y, weights)

    def loss() -> float:
        return np.sum(read_out(h, weights) * d_y)

    for array, gradient in [(h, d_h), *((weights[key], d_weights[key]) for key in weights)]:
        np.testing.assert_allclose(gradient, slope(loss, array), atol=1e-7)


def slope(loss, array: np.ndarray, width: float = 1e-6) -> np.ndarray:
    """Central differences of the loss, one element of the array after the other."""
    result = np.empty_like(array)
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + width
        above = loss()
        array[index] = value - width
        result[index] = (above - loss()) / (2 * width)
        array[index] = value
    return result
