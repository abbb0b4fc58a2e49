"""A compacted graph is smaller and computes the same."""

import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from rnnapps import serving
from rnnapps.layers import LSTM, Bidirectional
from rnnapps.recurrences import use_engine
from rnnapps.serving.compact_graph import compact


def functions(folder):
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    return list(saved.meta_graphs[0].graph_def.library.function)


def nodes(folder):
    return [node for function in functions(folder) for node in function.node_def]


@pytest.fixture(scope="module")
def exports(tmp_path_factory):
    """A model of strings, tables, loops in loops, assertions, branches and a counter, as it was saved and compacted."""
    module = tf.Module()
    entries = tf.lookup.KeyValueTensorInitializer(["good", "bad", "film"], tf.constant([1, 2, 3], tf.int64))
    module.table = tf.lookup.StaticHashTable(entries, 4)
    layer = Bidirectional(LSTM(4, return_sequences=True))
    layer.build((None, None, 3))
    module.weights = [weight.value for weight in layer.weights]
    module.calls = tf.Variable(0)
    embeddings = tf.constant(np.random.default_rng(0).standard_normal((5, 3)), tf.float32)

    def read(text):
        ids = module.table.lookup(tf.strings.split(text)).to_tensor(shape=[None, None])
        tf.debugging.assert_less(tf.shape(ids)[1], 50, message="too long")
        hidden = tf.reduce_sum(layer(tf.gather(embeddings, ids), mask=ids > 0), axis=1)
        return {"hidden": tf.cond(tf.size(ids) > 4, lambda: hidden, lambda: -hidden), "text": text}

    def count(x):
        module.calls.assign_add(tf.size(x))
        first = module.calls.read_value()
        module.calls.assign_add(tf.size(x))
        return {"difference": module.calls.read_value() - first, "random": tf.random.uniform([2, 50])}

    folder = tmp_path_factory.mktemp("graph")
    with use_engine("graph"):
        signatures = {
            "serving_default": tf.function(serving.in_chunks(read, 3), autograph=False).get_concrete_function(
                tf.TensorSpec([None], tf.string, name="text")
            ),
            "count": tf.function(count, autograph=False).get_concrete_function(tf.TensorSpec([None], name="x")),
        }
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)  # as `serving.save` does
    tf.saved_model.save(module, str(folder / "saved"), signatures=signatures, options=options)
    shutil.copytree(folder / "saved", folder / "compact")
    compact(folder / "compact")
    return {path.name: path for path in folder.iterdir()}


def test_equal_nodes_are_merged_and_names_are_short(exports):
    # Each of the four steps of a loop has nodes of its own; those around them are the ones that a trace repeats.
    assert len(nodes(exports["compact"])) < 0.75 * len(nodes(exports["saved"]))
    repeated = {
        name: sum(node.op in ("Const", "Shape", "StridedSlice", "Pack") for node in nodes(path))
        for name, path in exports.items()
    }
    assert repeated["compact"] < 0.4 * repeated["saved"]
    sizes = {name: (path / "saved_model.pb").stat().st_size for name, path in exports.items()}
    assert sizes["compact"] < 0.6 * sizes["saved"]
    assert all(re.fullmatch("[A-Za-z0-9.][A-Za-z0-9_.-]*", node.name) for node in nodes(exports["compact"]))


def test_no_constant_of_a_function_is_there_twice(exports):
    for function in functions(exports["compact"]):
        constants = [node.attr["value"].SerializeToString() for node in function.node_def if node.op == "Const"]
        inputs = [tuple(node.input) for node in function.node_def if node.op == "Const"]
        assert len(set(zip(constants, inputs, strict=True))) == len(constants)


def test_every_answer_stays_the_same_bit_by_bit(exports):
    saved, compacted = (serving.load(exports[name]) for name in ("saved", "compact"))
    for texts in ([], ["good film"], ["", "bad bad film film good"], ["good " * number for number in range(8)]):
        before, after = saved(text=tf.constant(texts, tf.string)), compacted(text=tf.constant(texts, tf.string))
        for name in before:
            np.testing.assert_array_equal(after[name], before[name])
    with pytest.raises(tf.errors.InvalidArgumentError, match="too long"):
        compacted(text=tf.constant(["good " * 60]))


def test_what_has_a_state_is_not_merged(exports):
    ask = serving.load(exports["compact"], "count")
    first, second = (ask(x=tf.zeros(3)) for _ in range(2))
    assert first["difference"] == second["difference"] == 3
    rows = first["random"].numpy()
    assert not np.array_equal(*rows)
    assert not np.array_equal(rows, second["random"])


def test_the_fingerprint_is_that_of_the_compacted_graph(exports):
    before, after = (tf.saved_model.experimental.read_fingerprint(str(exports[name])) for name in ("saved", "compact"))
    assert before.saved_model_checksum != after.saved_model_checksum


def test_a_session_loads_it_as_a_server_does(exports):
    from rnnapps.serving.inspection.served import Served

    text = np.array([b"good film", b"bad"], object)
    before, after = (Served(str(exports[name])).ask("serving_default", {"text": text}) for name in ("saved", "compact"))
    np.testing.assert_array_equal(before["hidden"], after["hidden"])
