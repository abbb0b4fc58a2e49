"""A broken export is named by what is wrong with it."""

import json
import shutil
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf

from rnnapps import native
from rnnapps.serving.inspection import prediction_log
from rnnapps.serving.inspection.columns import from_json, to_json
from rnnapps.serving.inspection.findings import findings
from tests.serving.models import REQUESTS, model, save  # noqa: F401


def exported(folder, function, spec=None):
    """A SavedModel written past `serving.save`, which would refuse it."""
    spec = spec or tf.TensorSpec([None], tf.float32, name="x")
    module = tf.Module()
    module.weights = [tf.Variable(1.0)]
    concrete = tf.function(lambda x: {"y": module.weights[0] * function(x)}, autograph=False).get_concrete_function(
        spec
    )
    tf.saved_model.save(module, str(folder), signatures={"serving_default": concrete})
    recorded = [
        {
            "request": {"signature_name": "serving_default", "inputs": {"x": [0.5]}},
            "response": {"outputs": {"y": [float(np.sin(0.5))]}},
        }
    ]
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "recorded_answers.json").write_text(json.dumps(recorded))
    (folder / "assets.extra" / "metadata.json").write_text("{}")
    tensor = tf.make_tensor_proto([0.5]).SerializeToString()
    with tf.io.TFRecordWriter(str(folder / "assets.extra" / "tf_serving_warmup_requests")) as file:
        file.write(prediction_log.to_bytes("m", "serving_default", {"x": tensor}))
    return folder


def failures(folder):
    """What fails, found in this process: quicker than in another one."""
    return {row.check: row.detail for row in findings(str(folder)) if row.passed is False}


def test_a_good_export_passes(tmp_path):
    assert failures(exported(tmp_path / "1", tf.sin)) == {}


def test_a_python_function_is_found(tmp_path):
    folder = exported(tmp_path / "1", lambda x: tf.ensure_shape(tf.numpy_function(np.sin, [x], tf.float32), [None]))
    assert failures(folder)["no Python function"] == "the graph calls Python: PyFunc"


def test_a_function_that_must_be_compiled_is_found(tmp_path):
    compiled = tf.function(tf.sin, jit_compile=True)
    failed = failures(exported(tmp_path / "1", compiled))
    assert list(failed) == ["no XLA required"]
    assert "must be compiled by XLA, which the server lacks: __inference_" in failed["no XLA required"]


def test_a_fixed_batch_is_found(tmp_path):
    failed = failures(exported(tmp_path / "1", tf.sin, tf.TensorSpec([1], tf.float32, name="x")))
    assert failed["signature serving_default"] == "input 'x' has a fixed batch of 1"


def test_a_batch_fixed_inside_is_found(tmp_path):
    failed = failures(exported(tmp_path / "1", lambda x: tf.sin(tf.reshape(x, [1]))))
    assert list(failed) == ["batch sizes serving_default"]
    assert failed["batch sizes serving_default"].startswith("a batch of 2: ")


def test_a_wrong_answer_is_found(tmp_path):
    failed = failures(exported(tmp_path / "1", tf.cos))
    assert failed["recorded answers serving_default"] == (
        "request 1: output 'y' is 0.877583 where the run answered 0.479426"
    )


def test_what_is_carried_from_call_to_call_is_found(tmp_path):
    calls = tf.Variable(0.0)

    def counting(x):
        return tf.sin(x) + 1e-5 * calls.assign_add(1.0)

    module_function = exported_with(calls, counting, tmp_path / "1")
    assert "call 2: output 'y' is" in failures(module_function)["repeated calls serving_default"]


def exported_with(variable, function, folder):
    exported(folder, tf.sin)
    extra = folder.with_name("extra")
    (folder / "assets.extra").rename(extra)
    shutil.rmtree(folder)
    module = tf.Module()
    module.variable = variable
    spec = tf.TensorSpec([None], tf.float32, name="x")
    concrete = tf.function(lambda x: {"y": function(x)}, autograph=False).get_concrete_function(spec)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": concrete})
    extra.rename(folder / "assets.extra")
    return folder


def test_a_damaged_warm_up_is_found(tmp_path):
    folder = exported(tmp_path / "1", tf.sin)
    tensor = tf.make_tensor_proto(["text"]).SerializeToString()
    for log, complaint in (
        (prediction_log.to_bytes("m", "other", {"x": tensor}), "no signature or input 'other'"),
        (prediction_log.to_bytes("m", "serving_default", {"x": tensor}), ""),
        (b"\x32\xff", "cut off"),
        (b"", "is not a predict request"),
    ):
        with tf.io.TFRecordWriter(str(folder / "assets.extra" / "tf_serving_warmup_requests")) as file:
            file.write(log)
        assert complaint in failures(folder)["warm-up"]


def test_warm_up_requests_and_recordings_that_are_none_are_found(tmp_path):
    folder = exported(tmp_path / "1", tf.sin)
    (folder / "assets.extra" / "tf_serving_warmup_requests").write_text("xx")
    assert failures(folder) == {"warm-up": "the file has no request"}
    (folder / "assets.extra" / "recorded_answers.json").write_text("[]")
    assert failures(folder)["recorded answers"].endswith("recorded_answers.json holds none")
    (folder / "assets.extra" / "recorded_answers.json").write_text('{"a": 1}')
    assert failures(folder)["recorded answers"].endswith("is damaged: expected a list, got dict")


def test_missing_files_are_damage_in_an_export_of_ours_alone(tmp_path):
    folder = exported(tmp_path / "1", tf.sin)
    (folder / "assets.extra" / "metadata.json").unlink()
    assert failures(folder) == {"accompanying files": "missing: assets.extra/metadata.json"}
    (folder / "assets.extra" / "metadata.json").write_text("{")
    assert "metadata.json cannot be read" in failures(folder)["accompanying files"]
    shutil.rmtree(folder / "assets.extra")
    assert failures(folder) == {}  # a SavedModel as anybody may have written it
    (folder / "README.md").write_text("`assets.extra/metadata.json` says by what")
    assert "recorded_answers.json" in failures(folder)["accompanying files"]


def test_a_request_without_rows_is_counted_as_a_request(tmp_path):
    folder = exported(tmp_path / "1", lambda x: tf.sin(x)[None], tf.TensorSpec([], tf.float32, name="x"))
    recorded = {"signature_name": "serving_default", "inputs": {"x": 0.5}}, {"outputs": {"y": [float(np.sin(0.5))]}}
    text = json.dumps([dict(zip(("request", "response"), recorded, strict=True))])
    (folder / "assets.extra" / "recorded_answers.json").write_text(text)
    details = {row.check: row.detail for row in findings(str(folder))}
    assert details["recorded answers serving_default"].startswith("1 requests without rows, largest difference")


def test_a_graph_that_is_none_is_found(tmp_path):
    folder = exported(tmp_path / "1", tf.sin)
    (folder / "saved_model.pb").write_bytes(b"\xff damaged")
    assert failures(folder) == {"saved_model.pb": "saved_model.pb is damaged, or not a SavedModel"}


def test_a_missing_weight_file_and_a_missing_graph_are_found(tmp_path):
    folder = exported(tmp_path / "1", tf.sin)
    (folder / "variables" / "variables.index").unlink()
    assert "loads" in failures(folder)
    (folder / "saved_model.pb").write_bytes(b"")
    assert failures(folder) == {"saved_model.pb": "saved_model.pb has no graph with the tag 'serve'"}


@pytest.mark.skipif(native.library() is None, reason="no C++ compiler")
def test_operations_that_no_server_links_are_found_on_the_command_line(tmp_path, model):  # noqa: F811
    good = save(tmp_path / "good", model, REQUESTS).folder
    result = run_check(good.parent)
    assert result.returncode == 0, result.stdout
    assert "operations                        ok" in result.stdout
    result = run_check(exported_native(tmp_path / "1"))
    assert result.returncode == 1
    line = next(line for line in result.stdout.splitlines() if line.startswith("operations"))
    assert "FAILED  the server does not link Rnnapps" in line


def exported_native(folder):
    from rnnapps.recurrences import recur
    from rnnapps.recurrences.weights import Weights

    weights = Weights(tf.ones((1, 2)), tf.eye(2), tf.zeros(2))

    def last(x):
        inputs = tf.reshape(x, [-1, 1, 1])
        states = [tf.zeros((tf.shape(inputs)[0], 2))]
        return recur("rnn", inputs, states, weights, engine="native")[0][:, 0, 0]

    with mock.patch("rnnapps.internals.refuse_to_be_saved"):  # no version of ours writes such a file any more
        return exported(folder, last)


def run_check(*arguments):
    command = [sys.executable, "-m", "rnnapps.serving.check", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_no_export_is_a_users_mistake(tmp_path):
    result = run_check(tmp_path)
    assert result.returncode == 2
    assert result.stderr == f"error: {tmp_path}: no SavedModel here; name the folder that export wrote\n"
    assert run_check().returncode == 2
    assert run_check("--help").stdout.startswith("usage: python -m rnnapps.serving.check EXPORT")


@pytest.mark.parametrize(
    "array",
    [
        np.array(["ü".encode(), b"\xff\x00", b""], object),
        np.float32([[0.1, -1e-30], [3.4e38, 0]]),
        np.zeros((2, 0, 3), "float32"),
        np.int32(5),
        np.zeros(0, "int64"),
    ],
)
def test_tensors_in_json_come_back_as_they_were(array):
    shape = [None, *([None] * (array.ndim - 2)), 3][: array.ndim]
    dtype = object if array.dtype == object else array.dtype.type
    back = from_json(json.loads(json.dumps(to_json(array))), dtype, shape)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
