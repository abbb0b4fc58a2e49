"""Gradient flow against TensorFlow's own gradients of hidden states."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import GRU, LSTM, Bidirectional, SimpleRNN, Stacked
from rnnapps.training.gradient_flow import GradientFlow, gradient_flow

STEPS = 9


@pytest.fixture
def batch():
    random = np.random.default_rng(0)
    return random.normal(size=(4, STEPS, 3)).astype("float32"), random.normal(size=(4, 1)).astype("float32")


def compiled(*layers) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((None, 3)), *layers, keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def test_norms_are_those_of_gradients_taken_step_by_step(batch):
    layer = LSTM(5, name="lstm")
    model = compiled(layer)
    flow = gradient_flow(model, batch)
    expected = []
    x, y = batch
    for t in range(STEPS):
        states = layer.get_initial_state(4)
        for step in range(STEPS):
            _, states = layer.cell(x[:, step], states)
            if step == t:
                tape = tf.GradientTape()
                tape.__enter__()
                states = [tf.identity(state) for state in states]
                h = states[0]
                tape.watch(h)
        loss = tf.reduce_mean((model.layers[-1](states[0]) - y) ** 2)
        tape.__exit__(None, None, None)
        expected.append(np.linalg.norm(tape.gradient(loss, h)))
    np.testing.assert_allclose(flow["lstm"], expected, rtol=1e-4)


def test_layers_inside_others_are_found(batch):
    model = compiled(
        Bidirectional(GRU(4, return_sequences=True, name="gru")),
        Stacked([SimpleRNN(4, return_sequences=True, name="bottom"), LSTM(4, name="top")]),
    )
    flow = gradient_flow(model, batch)
    assert [name.split("/")[-1] for name in flow] == ["forward_gru", "backward_gru", "bottom", "top"]
    assert all("/" in name for name in flow)
    assert all(norms.shape == (STEPS,) and (norms > 0).all() for norms in flow.values())


def test_measuring_changes_nothing(batch):
    model = compiled(LSTM(4, dropout=0.5, return_sequences=True), keras.layers.BatchNormalization(), GRU(4))
    before = [variable.numpy() for variable in model.variables]
    gradient_flow(model, batch)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
    assert all(layer.gradient_probe is None for layer in model.layers if hasattr(layer, "gradient_probe"))


def test_clipping_shows(batch):
    model = compiled(LSTM(5, gradient_clip=1e-3, name="lstm"))
    assert (gradient_flow(model, batch)["lstm"] <= 1e-3 * np.sqrt(4 * 5) * 1.001).all()


def test_a_model_without_our_layers_is_refused(batch):
    with pytest.raises(ValueError, match="got a model without one"):
        gradient_flow(compiled(keras.layers.LSTM(3)), batch)


@pytest.mark.slow
def test_the_callback_logs_and_draws(batch, tmp_path):
    model = compiled(Bidirectional(LSTM(4, name="lstm"), name="bidirectional"))
    picture, logs = tmp_path / "report" / "gradient_flow.png", tmp_path / "logs"
    model.fit(*batch, epochs=2, verbose=0, callbacks=[GradientFlow(batch, logs, picture)])
    assert picture.read_bytes().startswith(b"\x89PNG")
    tags = {
        (value.tag, event.step)
        for file in logs.iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    }
    layer = "bidirectional/forward_lstm"
    for epoch in (1, 2):
        assert {(f"gradient_norm/{layer}", epoch), (f"gradient_flow/{layer}/first_over_last", epoch)} <= tags
