"""The layers against the equations in NumPy, forwards and backwards."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import SimpleRNN
from tests.layers.cases import CASES
from tests.reference.cells import CELLS, random_weights
from tests.reference.simple_rnn import read_out, read_out_gradient
from tests.reference.through_time import backward, forward

BATCH, TIME, FEATURES, UNITS = 3, 6, 4, 5
PADDED = np.arange(TIME) < np.array([[6], [1], [4]])
# Keras's outputs before the first step that is read are zeros and not the state, so the first step is read here.
HOLES = np.array([[1, 0, 1, 1, 0, 0], [1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 1]], bool)
TOLERANCES = {"float32": 1e-5, "float64": 1e-10}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("mask", [None, PADDED, HOLES], ids=["no mask", "right-padded", "holes"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.sampled
def test_layer_and_its_gradients_follow_the_equations(name: str, mask: np.ndarray | None, dtype: str) -> None:
    rng, cell = np.random.default_rng(0), CELLS[name]
    x = rng.normal(size=(BATCH, TIME, FEATURES))
    states = tuple(rng.normal(size=(BATCH, UNITS)) for _ in range(cell.states))
    weights = random_weights(cell, FEATURES, UNITS, rng)
    d_outputs = rng.normal(size=(BATCH, TIME, UNITS))
    d_states = tuple(rng.normal(size=state.shape) for state in states)
    outputs, final_states, tape = forward(cell.step, x, states, weights, mask)
    d_x, d_first, d_weights = backward(cell.step_gradient, tape, d_outputs, d_states, weights)

    layer = CASES[name].ours(UNITS, return_sequences=True, return_state=True, dtype=dtype, **CASES[name].arguments)
    layer.build(x.shape)
    layer.set_weights(list(weights.values()))
    sources = [tf.constant(array, dtype) for array in (x, *states)]
    with tf.GradientTape() as gradient_tape:
        gradient_tape.watch(sources)
        results = layer(sources[0], initial_state=sources[1:], mask=mask)
        loss = sum(tf.reduce_sum(r * d) for r, d in zip(results, (d_outputs, *d_states), strict=True))
    gradients = gradient_tape.gradient(loss, [*sources, *(weight.value for weight in layer.weights)])

    for actual, expected in zip(results, (outputs, *final_states), strict=True):
        np.testing.assert_allclose(actual, expected, atol=TOLERANCES[dtype])
    for actual, expected in zip(gradients, (d_x, *d_first, *d_weights.values()), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=TOLERANCES[dtype], atol=2 * TOLERANCES[dtype])


def test_output_layer_follows_its_equation() -> None:
    """y_t = W_hy h_t + b_y and its gradients, through the recurrence."""
    rng, cell = np.random.default_rng(0), CELLS["rnn"]
    x, h = rng.normal(size=(BATCH, TIME, FEATURES)), rng.normal(size=(BATCH, UNITS))
    weights = random_weights(cell, FEATURES, UNITS, rng)
    output_weights = {"output_kernel": rng.normal(size=(UNITS, 2)), "output_bias": rng.normal(size=2)}
    d_y = rng.normal(size=(BATCH, TIME, 2))
    outputs, (final_h,), tape = forward(cell.step, x, (h,), weights, HOLES)
    d_outputs, d_output_weights = read_out_gradient(outputs, d_y, output_weights)
    d_x, (d_h,), d_weights = backward(cell.step_gradient, tape, d_outputs, (np.zeros_like(h),), weights)

    layer = SimpleRNN(UNITS, output_units=2, return_sequences=True, return_state=True, dtype="float64")
    layer.build(x.shape)
    layer.set_weights([*weights.values(), *output_weights.values()])
    sources = [tf.constant(x), tf.constant(h)]
    with tf.GradientTape() as gradient_tape:
        gradient_tape.watch(sources)
        y, state = layer(sources[0], initial_state=sources[1:], mask=HOLES)
        loss = tf.reduce_sum(y * d_y)
    gradients = gradient_tape.gradient(loss, [*sources, *(weight.value for weight in layer.weights)])

    np.testing.assert_allclose(y, read_out(outputs, output_weights), atol=1e-10)
    np.testing.assert_allclose(state, final_h, atol=1e-10)
    expected = (d_x, d_h, *d_weights.values(), *d_output_weights.values())
    for actual, gradient in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(actual, gradient, atol=1e-10)
    layer.return_sequences = False
    np.testing.assert_allclose(layer(x, initial_state=[h], mask=HOLES)[0], y[:, -1], atol=1e-12)
