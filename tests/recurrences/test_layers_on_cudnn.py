"""Layers where there is a GPU, which is not there: when they choose cuDNN, and what they compute with it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import internals, layers
from rnnapps.errors import UserError
from rnnapps.layers import GRU, LSTM, Bidirectional, SimpleRNN
from rnnapps.recurrences import engine_in_use, use_engine
from tests.recurrences.test_saving import operations_of_export

pytestmark = pytest.mark.usefixtures("calls")
BATCH, STEPS, FEATURES = 3, 6, 4
LENGTHS = [STEPS, 2, 4]


def draw() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).normal(size=(BATCH, STEPS, FEATURES)), tf.float32)


def passes(layer, x, mask) -> list[tf.Tensor]:
    """The outputs, the last states, and the gradients of the inputs and the weights."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        results = tf.nest.flatten(layer(x, mask=mask, training=True))
        loss = sum(tf.reduce_sum(tf.cast(one, tf.float32) ** 2) for one in results)
    return results + tape.gradient(loss, [x, *(variable.value for variable in layer.trainable_variables)])


def pair(name: str, bidirectional: bool = False, use_cudnn: str | bool = False, **options):
    """Keras's layer, by default on Keras's loop, and ours with the same weights."""
    theirs = getattr(keras.layers, name)(5, use_cudnn=use_cudnn, **options)
    ours = getattr(layers, name)(5, **options)
    if bidirectional:
        theirs, ours = keras.layers.Bidirectional(theirs), Bidirectional(ours)
    for layer in (theirs, ours):
        layer.build((BATCH, STEPS, FEATURES))
    ours.set_weights(theirs.get_weights())
    return theirs, ours


@pytest.mark.parametrize(
    "options",
    (
        {"return_sequences": True, "return_state": True},
        {"return_sequences": True, "bidirectional": True},
        {"go_backwards": True, "return_sequences": True, "zero_output_for_mask": True},
        {"bidirectional": True},
    ),
    ids="-".join,
)
@pytest.mark.parametrize("lengths", (None, LENGTHS, [0, 2, STEPS]), ids=("no mask", "right padded", "a row of padding"))
@pytest.mark.parametrize("name", ("LSTM", "GRU"))
def test_a_layer_gives_what_the_loop_of_keras_gives(name, lengths, options, calls):
    theirs, ours = pair(name, **options)
    mask = None if lengths is None else tf.sequence_mask(lengths, STEPS)
    found = passes(ours, draw(), mask)
    assert len(calls) == 1 + options.get("bidirectional", False)
    for one, expected in zip(found, passes(theirs, draw(), mask), strict=True):
        np.testing.assert_allclose(one, expected, atol=2e-5)


@pytest.mark.parametrize("dtype", ("float16", "bfloat16"))
@pytest.mark.parametrize("name", ("LSTM", "GRU"))
def test_half_precision_stays_half_on_the_way_to_cudnn_and_back(name, dtype, calls):
    _, ours = pair(name, return_sequences=True, dtype=f"mixed_{dtype}")
    mask = tf.sequence_mask(LENGTHS, STEPS)
    found = passes(ours, draw(), mask)
    assert calls[0]["input"].dtype == calls[0]["params"].dtype == dtype
    exact = pair(name, return_sequences=True)[1]
    exact.set_weights(ours.get_weights())
    for one, expected in zip(found, passes(exact, draw(), mask), strict=True):
        error = np.linalg.norm(tf.cast(one, tf.float32) - expected) / np.linalg.norm(expected)
        assert error < {"float16": 0.01, "bfloat16": 0.1}[dtype]


def test_a_model_trains_as_that_of_keras_with_cudnn_and_exports_a_plain_graph(calls, tmp_path):
    x = draw().numpy() * np.asarray(tf.sequence_mask(LENGTHS, STEPS))[:, :, None]
    models, weights = [], None
    for library in (keras.layers, layers):
        model = keras.Sequential(
            [
                keras.Input((STEPS, FEATURES)),
                keras.layers.Masking(),
                library.Bidirectional(library.LSTM(3, return_sequences=True)),
                library.GRU(3),
            ]
        )
        weights = model.get_weights() if weights is None else weights
        model.set_weights(weights)
        model.compile(keras.optimizers.SGD(0.5), "mse")
        assert not model.jit_compile
        before = len(calls)
        model.fit(x, np.ones((BATCH, 3)), epochs=3, verbose=0)
        assert len(calls) > before
        models.append(model)
    for mine, expected in zip(models[1].get_weights(), models[0].get_weights(), strict=True):
        np.testing.assert_allclose(mine, expected, atol=1e-5)
    models[1].export(tmp_path / "exported", verbose=False)
    found = operations_of_export(tmp_path / "exported")
    assert "MatMul" in found
    assert not any("Cudnn" in name for name in found)
    loaded = tf.saved_model.load(str(tmp_path / "exported"))
    served = loaded.serve(tf.constant(x))
    np.testing.assert_allclose(served, models[1].predict(x, verbose=0), atol=1e-5)


def test_a_trace_of_cudnn_is_refused_with_the_remedy(calls, tmp_path):
    module = tf.Module()
    module.layer = LSTM(3)
    module.layer.build((2, 5, 4))
    module.serve = tf.function(module.layer, input_signature=[tf.TensorSpec((2, 5, 4))], autograph=False)
    module.serve(tf.zeros((2, 5, 4)))
    assert calls
    (traced,) = module.serve._list_all_concrete_functions()
    with pytest.raises(UserError, match=r"on the cuDNN engine.*need a GPU.*use_engine\(\"graph\"\)"):
        tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"any": traced})


def test_without_a_kernel_of_this_dtype_the_graph_engine_runs(calls, monkeypatch):
    monkeypatch.setattr(internals, "has_gpu_kernel", lambda operation, dtype: False)
    layer = LSTM(3)
    assert layer.engine == "graph: under XLA: there is a GPU, and TensorFlow has no cuDNN kernel for float32"
    layer(draw())
    assert not calls
    with pytest.raises(ValueError, match="use_cudnn=True, but TensorFlow has no cuDNN kernel for float32"):
        LSTM(3, use_cudnn=True)(draw())


def test_in_a_tf_data_pipeline_layers_run_as_on_a_cpu(calls):
    layer = LSTM(3)
    layer.build((None, STEPS, FEATURES))
    (found,) = tf.data.Dataset.from_tensors(draw()).map(layer)
    assert not calls
    np.testing.assert_allclose(found, layer(draw()), atol=1e-6)
    assert calls


@pytest.mark.parametrize(
    "layer, reason",
    (
        (lambda: SimpleRNN(3), "SimpleRNN"),
        (lambda: GRU(3, reset_after=False), "reset_after=False"),
        (lambda: LSTM(3, use_bias=False), "use_bias=False"),
        (lambda: LSTM(3, recurrent_dropout=0.1), "recurrent_dropout"),
        (lambda: GRU(3, gradient_clip=1.0), "gradient_clip"),
        (lambda: GRU(3, use_cudnn=False), "use_cudnn=False"),
    ),
)
def test_what_cudnn_does_not_serve_runs_on_the_graph_engine_under_xla(layer, reason, calls):
    layer = layer()
    assert layer.engine == f"graph: under XLA: there is a GPU, and cuDNN does not support {reason}"
    assert layer.supports_jit
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 4)), tf.float32)
    outputs = layer(x)
    assert not calls
    with use_engine("graph"):
        np.testing.assert_allclose(outputs, layer(x), atol=1e-6)


def test_layers_say_that_cudnn_runs_them_and_keras_must_not_compile_them(calls):
    for layer in (LSTM(3), GRU(3, truncate=4, checkpoint_every=2), LSTM(3, dropout=0.5, dtype="mixed_float16")):
        assert layer.engine == "cudnn: on a GPU, as in Keras; masks with holes take the graph engine"
        assert not layer.supports_jit
    Bidirectional(LSTM(3))(tf.zeros((1, 4, 2)))
    assert len(calls) == 2
    assert LSTM(3, "relu").engine == "keras loop: activation is relu"
    assert engine_in_use("float32")[0] == "cudnn"


def test_use_cudnn_means_what_it_means_in_keras(calls, monkeypatch):
    x = tf.ones((1, 4, 2))
    LSTM(3, use_cudnn=True)(x)
    assert calls
    for layer in (GRU(3, use_cudnn=True, reset_after=False), LSTM(3, "relu", use_cudnn=True)):
        with pytest.raises(ValueError, match="use_cudnn=True, but"):
            layer(x)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="use_cudnn=True, but there is no GPU"):
        LSTM(3, use_cudnn=True)(x)


def test_exports_functions_under_xla_and_functions_on_the_cpu_are_without_cudnn(calls):
    layer, x = LSTM(3), tf.ones((1, 4, 2))
    layer.build(x.shape)
    tf.function(layer, jit_compile=True)(x)
    tf.function(layer).get_concrete_function(x)
    with use_engine("graph"):
        layer(x)
    with tf.device("CPU:0"):
        layer(x)
        tf.function(layer)(x)
    assert not calls
