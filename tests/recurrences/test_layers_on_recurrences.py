"""The layers on the fused recurrences: which loop runs, and that both give the same."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import GRU, LSTM, Bidirectional, LSTMCell, Recurrent, SimpleRNN
from rnnapps.recurrences import use_engine

STEPS = 11
LAYERS = (lambda **options: SimpleRNN(4, output_units=2, **options), lambda **options: GRU(4, **options))


@pytest.fixture(autouse=True)
def graph_engine():
    with use_engine("graph"):
        yield


def masks(random, steps=STEPS):
    """Holes, nothing at all, a late start, an early end, everything."""
    mask = random.random((5, steps)) > 0.4
    mask[1], mask[2], mask[2, 4:], mask[3], mask[3, :4], mask[4] = False, False, True, False, True, True
    return mask


@pytest.mark.parametrize("return_sequences", (False, True))
@pytest.mark.parametrize("go_backwards", (False, True))
@pytest.mark.parametrize("zero_output_for_mask", (False, True))
@pytest.mark.parametrize("make", LAYERS)
def test_masked_outputs_are_those_of_the_keras_loop(make, return_sequences, go_backwards, zero_output_for_mask):
    layer = make(
        return_sequences=return_sequences,
        return_state=True,
        go_backwards=go_backwards,
        zero_output_for_mask=zero_output_for_mask,
        bias_initializer="uniform",
    )
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(5, STEPS, 3)), tf.float32)
    state = [tf.constant(random.normal(size=(5, 4)), tf.float32)]
    mask = tf.constant(masks(random))
    layer.build(x.shape)
    last, outputs, states = layer._fused_loop(x, state, mask, False, False)
    keras_last, keras_outputs, keras_states = layer._keras_loop(x, state, mask, False, False)
    np.testing.assert_allclose(last, keras_last, atol=1e-6)
    np.testing.assert_allclose(outputs, keras_outputs, atol=1e-6)
    np.testing.assert_allclose(states[0], keras_states[0], atol=1e-6)


def test_the_engine_says_which_loop_runs_and_why():
    assert LSTM(2).engine == "graph: set by use_engine"
    assert LSTM(2, activation="relu").engine == "keras loop: activation is relu"
    assert GRU(2, "relu", "hard_sigmoid").engine == (
        "keras loop: activation is relu and recurrent_activation is hard_sigmoid"
    )
    assert SimpleRNN(2, unroll=True).engine == "keras loop: unroll is on"
    assert Recurrent(keras.layers.LSTMCell(2)).engine == "keras loop: the cell is LSTMCell"
    assert Recurrent(LSTMCell(2)).engine.startswith("graph")

    class Leaky(LSTMCell):
        def call(self, inputs, states, training=False):
            h, c = states
            return super().call(inputs, [0.5 * h, c], training)

    assert Recurrent(Leaky(2)).engine == "keras loop: the cell is Leaky"


@pytest.mark.parametrize("option", ({"truncate": 4}, {"checkpoint_every": 4}, {"gradient_clip": 1.0}))
def test_options_that_the_keras_loop_lacks_are_refused(option):
    with pytest.raises(ValueError, match=r"activation is relu"):
        LSTM(3, activation="relu", **option)


def test_steps_that_fit_into_each_other_or_not():
    LSTM(3, truncate=12, checkpoint_every=4)
    with pytest.raises(ValueError, match="multiple"):
        LSTM(3, truncate=12, checkpoint_every=5)


@pytest.mark.parametrize("jit_compile", (False, True))
def test_a_model_with_every_option_trains(jit_compile):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((STEPS, 3)),
            Bidirectional(LSTM(4, return_sequences=True, checkpoint_every=4, recurrent_dropout=0.1)),
            GRU(4, dropout=0.1, truncate=8, gradient_clip=1.0),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    random = np.random.default_rng(0)
    x = random.normal(size=(16, STEPS, 3)).astype("float32")
    losses = model.fit(x, x[:, -3, :1], epochs=8, verbose=0, batch_size=8).history["loss"]
    assert losses[-1] < losses[0]
