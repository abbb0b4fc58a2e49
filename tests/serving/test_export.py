"""Exports are whole or not there, and hold what an operator of TensorFlow Serving expects."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

from rnnapps import serving
from rnnapps.layers import LSTM
from rnnapps.serving import server_files
from tests.serving.models import REQUESTS, TEXTS, mean_of_embeddings, model, save  # noqa: F401


@pytest.fixture(scope="module")
def saved(tmp_path_factory, model):  # noqa: F811
    """An export of the model, with everything; its folder is the version's."""
    output = tmp_path_factory.mktemp("exports") / "of my own"
    return save(output, model, REQUESTS, about={"app": "test", "metrics": {"accuracy": 0.5}})


def test_an_export_answers_as_the_model(saved, model):  # noqa: F811
    assert saved.folder.name == "1"
    expected = mean_of_embeddings(model).function(tf.constant(TEXTS))["mean"].numpy()
    answer = serving.load(saved.folder.parent)(text=tf.constant(TEXTS))
    np.testing.assert_allclose(answer["mean"], expected, rtol=1e-6)
    assert saved.findings.passed
    assert str(saved.findings).startswith("12 checks passed; 4 rows, largest difference")


def test_official_classes_read_the_warm_up_requests(saved):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    file = saved.folder / "assets.extra" / "tf_serving_warmup_requests"
    records = tf.data.TFRecordDataset(str(file))
    logs = [prediction_log_pb2.PredictionLog.FromString(record.numpy()) for record in records]
    requests = [log.predict_log.request for log in logs]
    assert {log.WhichOneof("log_type") for log in logs} == {"predict_log"}
    assert {(request.model_spec.name, request.model_spec.signature_name) for request in requests} == {
        ("of-my-own", "serving_default")
    }
    batches = [tf.make_ndarray(request.inputs["text"]).tolist() for request in requests]
    assert [len(batch) for batch in batches] == [1, 8, 64]
    assert batches[1][:5] == [
        *(text if isinstance(text, bytes) else text.encode() for text in TEXTS),
        TEXTS[0].encode(),
    ]


def test_metadata_say_what_the_export_is(saved):
    described = serving.metadata(saved.folder.parent)
    assert (described["model"], described["model_version"], described["app"]) == ("of-my-own", 1, "test")
    assert described["metrics"] == {"accuracy": 0.5}
    assert described["packages"]["tensorflow"] == tf.__version__
    assert described["packages"]["keras"] == keras.__version__
    signature = described["signatures"]["serving_default"]
    assert signature["inputs"] == {"text": {"dtype": "string", "shape": [None]}}
    assert signature["outputs"]["mean"] == {"dtype": "float32", "shape": [None, 2]}


def test_recorded_answers_are_rest_requests_and_responses(saved):
    (recording,) = json.loads((saved.folder / "assets.extra" / "recorded_answers.json").read_text())
    assert recording["request"]["inputs"]["text"] == ["good film", "", "bad", {"b64": "/w=="}]
    assert recording["response"]["outputs"]["text"] == recording["request"]["inputs"]["text"]
    assert np.shape(recording["response"]["outputs"]["mean"]) == (4, 2)


def test_the_readme_names_signatures_and_a_request(saved):
    text = (saved.folder / "README.md").read_text()
    assert "| input | `text` | string | [null] |" in text
    body = '{"signature_name": "serving_default", "inputs": {"text": ["good film"]}}'
    assert f"curl http://localhost:8501/v1/models/of-my-own:predict -d '{body}'" in text


def test_a_long_request_of_the_readme_lies_in_a_file(tmp_path, model, quick):  # noqa: F811
    long = {"serving_default": [{"text": ["good " * 100]}]}
    folder = save(tmp_path, model, long).folder
    assert "-d @assets.extra/request_serving_default.json" in (folder / "README.md").read_text()
    request = json.loads((folder / "assets.extra" / "request_serving_default.json").read_text())
    assert request["inputs"] == {"text": ["good " * 100]}


def test_server_files_are_what_their_readers_take(saved):
    output = saved.folder.parent
    assert sorted(path.name for path in output.iterdir()) == [
        "1",
        "batching_parameters.txt",
        "compose.yaml",
        "models.config",
        "monitoring.config",
    ]
    (service,) = yaml.safe_load((output / "compose.yaml").read_text())["services"].values()
    assert service["volumes"] == [".:/models/of-my-own:ro"]
    assert "--batching_parameters_file=/models/of-my-own/batching_parameters.txt" in service["command"]
    parameters = (output / "batching_parameters.txt").read_text()
    assert "max_execution_batch_size { value: 64 }" in parameters
    assert "allowed_batch_sizes" not in parameters, "versions of the server disagree on what the last must be"
    assert "enable_large_batch_splitting { value: true }" in parameters
    largest, waiting = (
        int(re.search(f"^{name} {{ value: ([0-9]+) }}$", parameters, re.MULTILINE)[1])
        for name in ("max_batch_size", "max_enqueued_batches")
    )
    assert largest >= 100_000, "docs/serving.md promises it"
    assert 64 * waiting > largest
    assert "  enable: true" in (output / "monitoring.config").read_text()


def test_official_classes_read_models_config(saved):
    text_format = pytest.importorskip("google.protobuf.text_format")
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    output = saved.folder.parent
    models = text_format.Parse((output / "models.config").read_text(), config.ModelServerConfig())
    (served,) = models.model_config_list.config
    assert (served.name, served.base_path) == ("of-my-own", "/models/of-my-own")
    assert served.model_version_policy.latest.num_versions == 1


def test_batching_is_off_where_the_server_could_not_join_requests(tmp_path, quick):
    def total(x):
        return {"y": tf.reduce_sum(x, axis=1)}

    endpoint = serving.Endpoint(total, [tf.TensorSpec([None, None], tf.float32, name="x")])
    serving.save(tmp_path / "sum", [], {"serving_default": endpoint}, {"serving_default": [{"x": [[1.0, 2.0]]}]})
    text = (tmp_path / "sum" / "compose.yaml").read_text()
    assert "# Batching is off" in text
    assert "#   the signature serving_default takes x of any length\n" in text
    (service,) = yaml.safe_load(text)["services"].values()
    assert not any("batching" in option for option in service["command"])


def test_everything_that_keeps_the_server_from_joining_is_named(tmp_path):
    def spec(name, *shape):
        return tf.TensorSpec(shape, tf.float32, name=name)

    endpoints = {
        "stream_start": serving.Endpoint(None, [spec("batch")]),
        "stream": serving.Endpoint(None, [spec("chunk", None, None), spec("state", None, 3)]),
        "serving_default": serving.Endpoint(None, [spec("x", None, 3)]),
    }
    server_files.write(tmp_path, endpoints, (1, 2))
    text = (tmp_path / "compose.yaml").read_text()
    assert "#   the signature stream_start takes batch without a batch\n" in text
    assert "#   the signature stream takes chunk of any length\n" in text
    assert "serving_default" not in text


def test_an_edited_server_file_is_kept_and_named(tmp_path, model, quick):  # noqa: F811
    folder = save(tmp_path, model).folder.parent
    (folder / "models.config").write_text((folder / "models.config").read_text() + "# mine\n")
    (folder / "monitoring.config").unlink()
    before = (folder / "models.config").read_text()
    again = save(tmp_path, model, batch_sizes=(1, 2, 4))
    assert again.kept == (folder / "models.config",)
    assert (folder / "models.config").read_text() == before
    assert (folder / "monitoring.config").exists()
    assert "max_execution_batch_size { value: 4 }" in (folder / "batching_parameters.txt").read_text()


@pytest.fixture
def quick(monkeypatch):
    """Exports are not asked in another process: that is not what the test is about, and it takes seconds."""
    monkeypatch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))


def test_versions_count_up_and_none_is_replaced(tmp_path, model, quick):  # noqa: F811
    assert [save(tmp_path, model).folder.name for _ in range(2)] == ["1", "2"]
    assert save(tmp_path, model, version=7).folder.name == "7"
    assert save(tmp_path, model).folder.name == "8"
    assert serving.latest(tmp_path).name == "8"
    with pytest.raises(serving.ExportError, match="7: already exists"):
        save(tmp_path, model, version=7)


def test_a_number_that_a_file_has_is_taken(tmp_path, model, quick):  # noqa: F811
    (tmp_path / "1").write_text("")
    assert save(tmp_path, model).folder.name == "2"


def test_no_version_follows_the_highest_number(tmp_path, model, quick):  # noqa: F811
    (tmp_path / str(2**63 - 1)).mkdir()
    with pytest.raises(serving.ExportError, match="no version can follow this one; choose --model-version"):
        save(tmp_path, model)


def test_two_exports_at_once_get_a_number_each(tmp_path, model, monkeypatch):  # noqa: F811
    others = iter([1, 1])

    def meanwhile(folder):
        number = next(others, None)
        if number:
            (tmp_path / str(number)).mkdir()
            (tmp_path / str(number) / "saved_model.pb").touch()
        return serving.Findings(())

    monkeypatch.setattr("rnnapps.serving.export.check_export", meanwhile)
    numbers = iter([1, 2])
    monkeypatch.setattr("rnnapps.serving.export.next_version", lambda output: next(numbers))
    assert save(tmp_path, model).folder.name == "2"
    assert serving.metadata(tmp_path / "2")["model_version"] == 2


def test_a_refused_export_leaves_nothing(tmp_path):
    def wrong(x):
        return {"y": x + tf.cast(tf.reduce_sum(x), tf.float32) * tf.cast(tf.shape(x)[0], tf.float32)}

    endpoint = serving.Endpoint(wrong, [tf.TensorSpec([None], tf.float32, name="x")])
    with pytest.raises(
        serving.ExportError, match="was not kept: batch sizes serving_default: a batch of 1: output 'y'"
    ):
        serving.save(tmp_path / "new", [], {"serving_default": endpoint}, {"serving_default": [{"x": [1.0, 2.0]}]})
    assert list(tmp_path.iterdir()) == []


def test_what_the_resources_do_not_hold_is_said_in_one_line(tmp_path):
    layer = LSTM(2, stateful=True)
    layer(np.zeros((1, 3, 2), "float32"))
    endpoint = serving.Endpoint(lambda x: {"y": layer(x)}, [tf.TensorSpec([1, None, 2], tf.float32, name="x")])
    with pytest.raises(ValueError, match="the state of a stateful layer cannot be there"):
        serving.save(tmp_path / "export", [layer], {"serving_default": endpoint})
    assert not (tmp_path / "export").exists()


def test_what_cannot_be_added_leaves_no_version(tmp_path, model, quick):  # noqa: F811
    def add(folder):
        assert not (tmp_path / "1").exists()
        (folder / "more").write_text("here")

    def refuse(folder):
        raise serving.ExportError("cannot be converted")

    with pytest.raises(serving.ExportError, match="cannot be converted"):
        save(tmp_path, model, add=refuse)
    assert not list(tmp_path.iterdir())
    assert (save(tmp_path, model, add=add).folder / "assets.extra" / "more").read_text() == "here"


def test_what_a_killed_export_left_is_removed_after_a_day(tmp_path, model, quick):  # noqa: F811
    old, new = tmp_path / ".writing-old", tmp_path / ".writing-new"
    for folder in (old, new):
        folder.mkdir()
    yesterday = time.time() - 25 * 3600
    os.utime(old, (yesterday, yesterday))
    save(tmp_path, model)
    assert not old.exists()
    assert new.exists()


def test_an_output_that_cannot_be_written_is_named(tmp_path, model):  # noqa: F811
    (tmp_path / "file").write_text("")
    with pytest.raises(serving.ExportError, match="file: cannot be written"):
        save(tmp_path / "file", model)


@pytest.mark.parametrize("name", ["models.config", "compose.yaml"])
def test_no_version_is_left_where_a_file_for_the_server_cannot_be_written(tmp_path, model, quick, name):  # noqa: F811
    (tmp_path / name).mkdir()
    with pytest.raises(serving.ExportError, match=f"{name}: cannot be written"):
        save(tmp_path, model)
    assert not [path for path in tmp_path.iterdir() if path.name.isdigit()]


def test_a_name_that_is_not_utf8_is_refused(tmp_path, model):  # noqa: F811
    with pytest.raises(serving.ExportError, match="not UTF-8"):
        save(tmp_path / os.fsdecode(b"\xff"), model)


def test_kill_at_any_moment_leaves_no_version_or_a_whole_one(tmp_path):
    """One process writes versions without end and is killed; whoever watches the folder loads each it ever sees."""
    script = (
        "import sys; from pathlib import Path; from tests.serving.models import make, save\n"
        "from rnnapps import serving\nimport rnnapps.serving.export as export\n"
        "export.check_export = lambda folder: serving.Findings(())\n"
        "made = make(); print('ready', flush=True)\n"
        "while True: save(Path(sys.argv[1]), made)\n"
    )
    root = Path(__file__).parents[2]
    seen = 0
    for delay in (0.3, 0.75):
        process = subprocess.Popen(
            [sys.executable, "-c", script, tmp_path], cwd=root, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 120
        while len(versions(tmp_path)) == seen and time.monotonic() < deadline:
            time.sleep(0.002)
            assert all(is_whole(folder) for folder in versions(tmp_path))
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert all(is_whole(folder) for folder in versions(tmp_path))
        seen = len(versions(tmp_path))
    assert seen
    serving.load(tmp_path)(text=tf.constant(["good"]))


def versions(output):
    return [folder for folder in output.iterdir() if folder.name.isdecimal()]


def is_whole(folder):
    needed = ("saved_model.pb", "variables/variables.index", "assets.extra/metadata.json", "README.md")
    return all((folder / name).is_file() for name in needed)


def test_a_folder_without_a_model_is_named(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(serving.ExportError, match="no SavedModel here"):
            serving.latest(folder)
        assert not serving.is_export(folder)


def test_a_missing_signature_is_named(saved):
    with pytest.raises(serving.ExportError, match="no signature 'stream'; it has serving_default"):
        serving.load(saved.folder, "stream")


def test_importing_serving_loads_no_tensorflow():
    code = "import sys, rnnapps.serving, rnnapps.serving.check; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_export_that_is_asked_to_stop_leaves_nothing(tmp_path, number):
    script = (
        "import sys, time; from pathlib import Path; from tests.serving.models import make, save\n"
        "import rnnapps.serving.export as export\n"
        "export.check_export = lambda folder: (print('checking', flush=True), time.sleep(60))\n"
        "save(Path(sys.argv[1]), make())\n"
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", script, tmp_path], cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout.readline() == "checking\n"
    assert len(list(tmp_path.iterdir())) == 1
    process.send_signal(number)
    assert process.wait(60) != 0
    assert not list(tmp_path.iterdir())


def test_a_handler_of_sigterm_that_is_there_stays(tmp_path, model, quick):  # noqa: F811
    def own(number, frame):
        raise AssertionError

    before = signal.signal(signal.SIGTERM, own)
    try:
        save(tmp_path, model)
        assert signal.getsignal(signal.SIGTERM) is own
    finally:
        signal.signal(signal.SIGTERM, before)
    save(tmp_path, model)
    assert signal.getsignal(signal.SIGTERM) is before
