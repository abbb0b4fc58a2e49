"""Whatever is written of a function, no file holds the native engine's operations: it is plain, or refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from rnnapps.errors import UserError
from rnnapps.layers import GRU
from rnnapps.recurrences import engine_in_use, use_engine

REMEDY = r'with rnnapps\.recurrences\.use_engine\("graph"\)'


@pytest.fixture(autouse=True)
def native_engine():
    name, why = engine_in_use("float32")
    if name != "native":
        pytest.skip(f"the native engine does not run here: {why}")


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((7, 3)), GRU(2)])
    model(tf.zeros((1, 7, 3)))
    return model


@pytest.fixture
def module(model):
    """The model and a function of it that has run on the native engine."""
    module = tf.Module()
    module.model = model
    module.serve = tf.function(model, input_signature=[tf.TensorSpec((None, 7, 3))], autograph=False)
    module.serve(tf.zeros((2, 7, 3)))
    return module


def operations(graph) -> set[str]:
    return {node.op for node in graph.node} | {node.op for one in graph.library.function for node in one.node_def}


def operations_of_export(path) -> set[str]:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((path / "saved_model.pb").read_bytes())
    return operations(saved.meta_graphs[0].graph_def)


def is_plain(found: set[str]) -> bool:
    return "MatMul" in found and not any(name.startswith("Rnnapps") for name in found)


def test_a_function_that_is_called_runs_on_the_native_engine(module):
    assert "RnnappsForward" in operations(module.serve.get_concrete_function().graph.as_graph_def())


def save(module, path):
    tf.saved_model.save(module, str(path), signatures=module.serve)


def save_concrete(module, path):
    tf.saved_model.save(module, str(path), signatures={"any": module.serve.get_concrete_function()})


def save_around_it(module, path):
    outer = tf.function(lambda x: {"y": module.serve(x)}, input_signature=[tf.TensorSpec((None, 7, 3))])
    outer(tf.zeros((1, 7, 3)))
    tf.saved_model.save(module.model, str(path), signatures=outer)


def add_endpoint(module, path):
    archive = keras.export.ExportArchive()
    archive.track(module.model)
    archive.add_endpoint("serve", module.serve)
    archive.write_out(str(path), verbose=False)


def convert(module, path):
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.serve.get_concrete_function()], module)
    path.write_bytes(converter.convert())


def save_training(module, path):
    """A function under a tape, in which a loop calls the layers."""
    optimizer = keras.optimizers.SGD()
    optimizer.build(module.model.trainable_variables)

    @tf.function(input_signature=[tf.TensorSpec((None, 7, 3))], autograph=False)
    def train(x):
        with tf.GradientTape() as tape:
            loss = tf.while_loop(
                lambda i, _: i < 2, lambda i, loss: (i + 1, loss + tf.reduce_sum(module.model(x))), (0, 0.0)
            )[1]
        variables = module.model.trainable_variables
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    train(tf.zeros((2, 7, 3)))
    tf.saved_model.save(module.model, str(path), signatures=train.get_concrete_function())


@pytest.mark.parametrize("write", (save, save_around_it))
@pytest.mark.slow
def test_a_function_that_tensorflow_traces_again_to_save_it_is_written_plain(write, module, tmp_path):
    write(module, tmp_path / "out")
    assert is_plain(operations_of_export(tmp_path / "out"))


@pytest.mark.parametrize("write", (save_concrete, add_endpoint, convert, save_training))
def test_a_function_that_ran_on_the_native_engine_is_refused_with_the_remedy(write, module, tmp_path):
    with pytest.raises(UserError, match=REMEDY):
        write(module, tmp_path / "out")
    assert not list(tmp_path.rglob("saved_model.pb"))
    assert not (tmp_path / "out").is_file()


def test_the_remedy_works(model, tmp_path):
    module = tf.Module()
    module.model = model
    x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
    with use_engine("graph"):
        module.serve = tf.function(model, input_signature=[tf.TensorSpec((None, 7, 3), name="x")], autograph=False)
        module.serve(x)
    add_endpoint(module, tmp_path / "out")
    assert is_plain(operations_of_export(tmp_path / "out"))
    answer = tf.saved_model.load(str(tmp_path / "out")).signatures["serve"](x=tf.constant(x))
    np.testing.assert_allclose(next(iter(answer.values())), model(x), atol=1e-6)


def test_functions_traced_for_a_converter_are_plain(model):
    """`get_concrete_function` is how exporters trace: ONNX and LiteRT from Keras, tf2onnx, TensorFlow Lite."""
    function = tf.function(model, autograph=False)
    assert is_plain(operations(function.get_concrete_function(tf.TensorSpec((None, 7, 3))).graph.as_graph_def()))


@pytest.mark.slow
def test_a_model_that_was_fitted_and_a_module_whose_function_was_called_are_written_plain(model, module, tmp_path):
    model.compile(loss="mse")
    model.fit(np.zeros((4, 7, 3)), np.zeros((4, 2)), verbose=0)
    model.predict(np.zeros((4, 7, 3)), verbose=0)
    model.export(tmp_path / "exported", verbose=False)
    assert is_plain(operations_of_export(tmp_path / "exported"))
    del module.serve
    module.answer = tf.function(model)
    module.answer(tf.zeros((2, 7, 3)))
    tf.saved_model.save(module, tmp_path / "saved")
    assert is_plain(operations_of_export(tmp_path / "saved"))


def test_a_data_set_may_map_a_layer(model):
    x = np.random.default_rng(0).normal(size=(4, 7, 3)).astype("float32")
    mapped = tf.data.Dataset.from_tensor_slices(x).batch(2).map(model)
    np.testing.assert_allclose(np.concatenate([*mapped.as_numpy_iterator()]), model(x), atol=1e-6)


def test_onnx_is_a_plain_graph(model, tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("tf2onnx")
    from onnx.reference import ReferenceEvaluator

    x = np.random.default_rng(0).normal(size=(2, 7, 3)).astype("float32")
    expected = model.predict(x, verbose=0)
    model.export(tmp_path / "model.onnx", format="onnx", verbose=False)
    written = onnx.load(tmp_path / "model.onnx")
    assert {node.domain for node in written.graph.node} <= {"", "ai.onnx"}
    (answer,) = ReferenceEvaluator(written).run(None, {written.graph.input[0].name: x})
    np.testing.assert_allclose(answer, expected, atol=1e-5)
