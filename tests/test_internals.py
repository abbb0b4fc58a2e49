"""What the library relies on inside Keras and TensorFlow, and that nothing else reaches in there."""

from __future__ import annotations

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

import rnnapps
from rnnapps import internals
from rnnapps.errors import UserError

ROOT = Path(rnnapps.__file__).parent
EXCEPTIONS = {"internals.py", "serving/inspection/graph.py"}  # the second runs where rnnapps cannot be imported


def imported_modules(tree: ast.AST):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def reaches_inside(source: str) -> list[str]:
    inside = ("keras.src.", "tensorflow.python.", "tf.python.", "keras._tf_keras.")
    return [name for name in imported_modules(ast.parse(source)) if (name + ".").startswith(inside)]


@pytest.mark.parametrize("folder", (ROOT, ROOT.parent / "apps", ROOT.parent / "benchmarks"))
def test_only_internals_reaches_into_keras_and_tensorflow(folder):
    found = {
        path.relative_to(folder).as_posix(): names
        for path in sorted(folder.rglob("*.py"))
        if (names := reaches_inside(path.read_text(encoding="utf-8")))
    }
    if folder == ROOT:
        assert set(found) == EXCEPTIONS
    else:
        assert not found


def test_the_check_sees_every_way_in():
    for source in (
        "import keras.src",
        "from keras.src import backend",
        "from keras import src",
        "import tensorflow.python.eager.context as c",
        "from tensorflow.python.eager import record",
        "from tensorflow import python",
        "keras.src.backend",
        "x = tf.python.eager",
    ):
        assert reaches_inside(source), source
    assert not reaches_inside("import keras\nfrom tensorflow import keras as k\nkeras.layers.LSTM")


def test_in_xla_is_true_in_compiled_functions_and_in_functions_they_call():
    seen = []
    inner = tf.function(lambda x: seen.append(internals.in_xla()) or x + 1, autograph=False)
    outer = tf.function(lambda x: inner(x) + tf.while_loop(lambda i: i < 2.0, lambda i: inner(i), [x])[0])
    outer(tf.constant(0.0))
    assert not any(seen)
    seen.clear()
    tf.function(lambda x: seen.append(internals.in_xla()) or x + 1, jit_compile=True, autograph=False)(tf.constant(0.0))
    assert seen == [True]
    assert not internals.in_xla()


def test_in_save_context_is_true_while_a_saved_model_traces(tmp_path):
    seen = []
    module = tf.Module()
    module.serve = tf.function(
        lambda x: seen.append(internals.in_save_context()) or x + 1,
        input_signature=[tf.TensorSpec([])],
        autograph=False,
    )
    tf.saved_model.save(module, tmp_path)
    assert seen
    assert all(seen)
    seen.clear()
    module.serve(tf.constant(0.0))
    assert not any(seen)


def test_tape_may_record_sees_tapes_and_accumulators_and_stop_recording_hides_them():
    x = tf.constant(1.0)
    assert not internals.tape_may_record()
    with tf.GradientTape() as tape:
        tape.watch(x)
        assert internals.tape_may_record()
        with internals.stop_recording():
            hidden = x * 3
            assert not internals.tape_may_record()
        y = x * 2 + hidden
    np.testing.assert_equal(tape.gradient(y, x).numpy(), 2.0)
    with tf.autodiff.ForwardAccumulator(x, tf.ones_like(x)):
        assert internals.tape_may_record()


def test_keras_draws_the_dropout_masks_of_cells_that_are_dropout_cells():
    class Cell(keras.layers.Layer, internals.DropoutRNNCell):
        state_size = output_size = 2
        dropout = recurrent_dropout = 0.5

        def __init__(self):
            super().__init__()
            self.seed_generator = keras.random.SeedGenerator(0)
            self.masks = []

        def call(self, inputs, states, training=False):
            self.masks.append((self.get_dropout_mask(inputs), self.get_recurrent_dropout_mask(states[0])))
            return states[0], states

        def get_initial_state(self, batch_size):
            return [keras.ops.zeros((batch_size, 2))]

    cell = Cell()
    keras.layers.RNN(cell, unroll=True)(tf.ones((1, 3, 2)), training=True)
    for masks in zip(*cell.masks, strict=True):
        assert len(masks) == 3
        assert all(mask is masks[0] for mask in masks), "one mask serves every step of a sequence"


def test_a_fingerprint_written_anew_is_that_of_the_changed_graph(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    before = tf.saved_model.experimental.read_fingerprint(str(tmp_path))
    internals.write_fingerprint(tmp_path)
    assert tf.saved_model.experimental.read_fingerprint(str(tmp_path)) == before
    graph = tmp_path / "saved_model.pb"
    graph.write_bytes(graph.read_bytes() + b"\x08\x02")  # the field of the version once more
    internals.write_fingerprint(tmp_path)
    after = tf.saved_model.experimental.read_fingerprint(str(tmp_path))
    assert after.saved_model_checksum != before.saved_model_checksum


def test_device_scope_names_the_innermost_device():
    def scopes():
        with tf.device("CPU:0"):
            return internals.device_scope()

    assert "CPU:0" in scopes()
    seen = []
    tf.function(lambda: seen.append(scopes()))()
    assert "CPU:0" in seen[0]
    assert "CPU" not in internals.device_scope()


def test_device_scope_of_a_function_is_that_of_its_call():
    seen = []
    inner = tf.function(lambda: seen.append(internals.device_scope()), autograph=False)

    def outer():
        with tf.device("CPU:0"):
            inner()

    with tf.device("CPU:0"):
        tf.function(lambda: seen.append(internals.device_scope()), autograph=False)()
    tf.function(outer, autograph=False)()
    assert len(seen) == 2
    assert all("CPU:0" in scope for scope in seen)


def test_in_dataset_is_true_in_the_functions_of_tf_data_only():
    seen = []
    tf.data.Dataset.range(2).map(lambda x: seen.append(internals.in_dataset()) or x)
    assert seen
    assert all(seen)
    seen.clear()
    tf.function(lambda x: seen.append(internals.in_dataset()) or x, autograph=False)(tf.constant(0.0))
    assert seen == [False]


def test_has_gpu_kernel_knows_operations_and_dtypes():
    if not tf.sysconfig.get_build_info()["is_cuda_build"]:
        pytest.skip("this build of TensorFlow is for CPUs")
    assert internals.has_gpu_kernel("CudnnRNNV3", "float32")
    assert not internals.has_gpu_kernel("CudnnRNNV3", "int32")
    assert not internals.has_gpu_kernel("NoSuchOperation", "float32")


def test_traced_without_a_call_is_true_for_get_concrete_function_only():
    seen = []

    def look(x):
        seen.append((internals.in_function(), internals.traced_without_a_call()))
        return x + 1

    tf.function(look, autograph=False).get_concrete_function(tf.TensorSpec([]))
    tf.function(lambda x: tf.while_loop(lambda i: i < 1.0, look, [x])).get_concrete_function(tf.TensorSpec([]))
    assert seen == [(True, True)] * 2
    seen.clear()
    tf.function(look, autograph=False)(tf.constant(0.0))
    tf.data.Dataset.range(2).map(look)
    assert seen == [(True, False)] * 2
    assert not internals.in_function()


@pytest.mark.parametrize("how", ("save", "freeze", "convert", "archive"))
def test_a_function_that_refuses_to_be_saved_runs_but_is_neither_saved_nor_frozen(how, tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([])], autograph=False)
    def serve(x):
        internals.refuse_to_be_saved("trace it again")
        return x * module.weight

    np.testing.assert_equal(serve(tf.constant(3.0)).numpy(), 6.0)
    concrete = serve.get_concrete_function()
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serve", serve)
    with pytest.raises(UserError, match=r"^trace it again$"):
        {
            "save": lambda: tf.saved_model.save(module, tmp_path / "out", signatures=concrete),
            "freeze": lambda: convert_variables_to_constants_v2(concrete),
            "convert": lambda: tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert(),
            "archive": lambda: archive.write_out(tmp_path / "out", verbose=False),
        }[how]()
    assert not list(tmp_path.rglob("*.pb"))


def test_an_object_serialised_twice_is_read_as_one():
    layer = keras.layers.Dense(2)
    with internals.object_sharing():
        configs = [keras.saving.serialize_keras_object(layer) for _ in range(2)]
        first, second = map(keras.saving.deserialize_keras_object, configs)
    assert first is second
    assert keras.saving.deserialize_keras_object(configs[0]) is not first
