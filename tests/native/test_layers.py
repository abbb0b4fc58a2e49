"""Keras layers on the native engine: where it runs, and where it must not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from rnnapps.layers import GRU, LSTM, Bidirectional, SimpleRNN


@pytest.fixture(autouse=True)
def native_engine(engine, monkeypatch):
    monkeypatch.setenv("RNNAPPS_ENGINE", "native")


def ops_of(function):
    graph = function.graph.as_graph_def()
    return {node.op for node in graph.node} | {node.op for one in graph.library.function for node in one.node_def}


def ops_of_saved_model(path):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    return {node.op for node in graph.node} | {node.op for one in graph.library.function for node in one.node_def}


def ours(ops):
    return {op for op in ops if op.startswith("Rnnapps")}


@pytest.mark.parametrize("layer", [SimpleRNN, GRU, LSTM])
def test_a_layer_equals_that_of_keras(layer):
    x = np.random.default_rng(0).normal(size=(3, 7, 5)).astype("float32")
    native_layer, keras_layer = (
        layer(6, return_sequences=True),
        getattr(keras.layers, layer.__name__)(6, return_sequences=True),
    )
    native_layer(x), keras_layer(x)
    keras_layer.set_weights(native_layer.get_weights())
    gradients = []
    for one in (native_layer, keras_layer):
        with tf.GradientTape() as tape:
            outputs = one(x)
            loss = tf.reduce_sum(outputs**2)
        gradients.append([outputs, *tape.gradient(loss, one.trainable_variables)])
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    function = tf.function(native_layer)
    function(x)
    (function,) = function._list_all_concrete_functions()
    assert "RnnappsForward" in ops_of(function)


def test_keras_does_not_compile_a_model_with_native_layers():
    model = keras.Sequential([keras.Input((7, 5)), Bidirectional(LSTM(6)), keras.layers.Dense(1)])
    model.compile(loss="mse")
    model.fit(np.zeros((4, 7, 5)), np.zeros((4, 1)), verbose=0)
    assert not model.jit_compile


def test_under_xla_the_graph_engine_runs():
    layer = LSTM(6)
    x = tf.ones((2, 7, 5))
    plain = layer(x)
    compiled = tf.function(layer, jit_compile=True)
    np.testing.assert_allclose(compiled(x), plain, atol=1e-5)
    assert ours(ops_of(compiled.get_concrete_function(x))) == set()


def test_keras_says_that_it_does_not_compile_native_layers():
    model = keras.Sequential([keras.Input((7, 5)), LSTM(6)])
    with pytest.warns(UserWarning, match="doesn't support `jit_compile=True`"):
        model.compile(loss="mse", jit_compile=True)


@pytest.mark.parametrize("called_before", [False, True])
@pytest.mark.slow
def test_exports_hold_the_graph_engine_only(tmp_path, called_before):
    model = keras.Sequential([keras.Input((7, 5)), LSTM(6), keras.layers.Dense(1)])
    if called_before:
        model.compile(loss="mse")
        model.fit(np.zeros((4, 7, 5)), np.zeros((4, 1)), verbose=0)
        model.predict(np.zeros((4, 7, 5)), verbose=0)
    model.export(tmp_path / "exported", verbose=False)
    ops = ops_of_saved_model(tmp_path / "exported")
    assert "MatMul" in ops
    assert ours(ops) == set()

    module = tf.Module()
    module.model, module.answer = model, tf.function(model)
    if called_before:
        module.answer(tf.ones((2, 7, 5)))
    tf.saved_model.save(module, tmp_path / "saved")
    assert ours(ops_of_saved_model(tmp_path / "saved")) == set()
