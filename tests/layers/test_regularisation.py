"""Dropout on inputs and on the recurrence, and penalties on the weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from rnnapps.layers import LSTM, SimpleRNN
from tests.layers.cases import CASES

ONES = np.ones((400, 3, 5), "float32")


def summing_layer(**dropout: float) -> SimpleRNN:
    """h_t = W x_t + U h_{t-1} with W and U identities and no activation: what is dropped can be read off."""
    layer = SimpleRNN(5, activation=None, use_bias=False, return_sequences=True, seed=3, **dropout)
    layer.build((None, None, 5))
    layer.set_weights([np.eye(5), np.eye(5)])
    return layer


def test_input_dropout_has_one_mask_per_sequence() -> None:
    steps = np.diff(summing_layer(dropout=0.4)(ONES, training=True), axis=1, prepend=0)
    np.testing.assert_allclose(steps[:, 1:], steps[:, :-1], atol=1e-5)  # the same mask at each step
    dropped = steps[:, 0] < 0.5
    np.testing.assert_allclose(steps[:, 0], np.where(dropped, 0, 1 / 0.6), atol=1e-6)
    assert abs(np.mean(dropped) - 0.4) < 0.05
    assert len(np.unique(dropped, axis=0)) > 20  # another mask for each sequence


def test_recurrent_dropout_drops_the_state_and_not_the_inputs() -> None:
    outputs = np.array(summing_layer(recurrent_dropout=0.25)(ONES, training=True))
    np.testing.assert_allclose(outputs[:, 0], 1.0, atol=1e-6)  # the first step has no state to drop yet
    mask = outputs[:, 1] - 1
    dropped = mask < 0.5
    np.testing.assert_allclose(mask, np.where(dropped, 0, 1 / 0.75), atol=1e-6)
    assert abs(np.mean(dropped) - 0.25) < 0.05
    np.testing.assert_allclose(outputs[:, 2], 1 + mask * outputs[:, 1], atol=1e-5)


@pytest.mark.parametrize("name", CASES)
def test_dropout_is_off_in_inference_and_anew_at_each_training_step(name: str) -> None:
    layer = CASES[name].ours(4, dropout=0.5, recurrent_dropout=0.5, **CASES[name].arguments)
    plain = CASES[name].ours(4, **CASES[name].arguments)
    plain.build(ONES.shape)
    layer.build(ONES.shape)
    layer.set_weights(plain.get_weights())
    # Two layers, two functions: what is fused may differ, and with it the rounding.
    np.testing.assert_allclose(layer(ONES), plain(ONES), atol=1e-6)
    first, second = layer(ONES, training=True), layer(ONES, training=True)
    assert np.any(first != plain(ONES)) and np.any(first != second)


@pytest.mark.parametrize("name", CASES)
def test_dropped_states_are_carried_over_whole(name: str) -> None:
    """The fused loop and Keras's loop agree under the same dropout masks."""
    make = CASES[name].ours
    options = {"dropout": 0.3, "recurrent_dropout": 0.3, "seed": 7, "return_sequences": True, **CASES[name].arguments}
    fused, unrolled = make(4, **options), make(4, unroll=True, **options)
    for layer in (fused, unrolled):
        layer.build((None, 3, 5))
    unrolled.set_weights(fused.get_weights())
    np.testing.assert_allclose(fused(ONES[:8], training=True), unrolled(ONES[:8], training=True), atol=1e-6)


def test_penalties_are_those_of_keras() -> None:
    penalties = {f"{weight}_regularizer": keras.regularizers.L2(0.1) for weight in ("kernel", "recurrent", "bias")}
    ours, keras_s = LSTM(4, **penalties), keras.layers.LSTM(4, **penalties)
    keras_s(ONES)
    ours.build(ONES.shape)
    ours.set_weights(keras_s.get_weights())
    assert len(ours.losses) == 3
    np.testing.assert_allclose(ours.losses, keras_s.losses, rtol=1e-6)


def test_constraints_hold_after_an_update() -> None:
    model = keras.Sequential(
        [LSTM(4, kernel_constraint="non_neg", recurrent_constraint=keras.constraints.MaxNorm(0.5))]
    )
    model.compile("sgd", "mse")
    model.train_on_batch(ONES[:4], np.zeros((4, 4)))
    kernel, recurrent_kernel, _ = model.get_weights()
    assert kernel.min() >= 0 and np.linalg.norm(recurrent_kernel, axis=0).max() <= 0.5 + 1e-5
