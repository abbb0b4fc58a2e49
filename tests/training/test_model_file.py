"""A run's `model.keras` is loaded, or refused in one line: whatever was done to the file."""

from __future__ import annotations

import os
import pickle
import resource
import zipfile

import h5py
import keras
import numpy as np
import pytest

from rnnapps import layers
from tests.training.model_files import (
    INPUTS,
    Other,
    Tagger,
    Third,
    load,
    parts,
    refusal,
    with_config,
    with_weights,
    written,
)


def test_a_good_file_gives_the_model_that_was_saved(good):
    expected = keras.saving.load_model(good)
    np.testing.assert_array_equal(load(good)(INPUTS), expected(INPUTS))


def test_models_made_of_keras_layers_load_as_well(tmp_path):
    inputs = keras.Input((None, 2))
    hidden = keras.layers.Dropout(0.5, seed=2**31)(layers.Bidirectional(layers.LSTM(3))(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="tanh", kernel_regularizer="l2")(hidden))
    model.compile("adam", "mse", metrics=["mae"])
    model.save(tmp_path / "model.keras")
    data = np.ones((1, 4, 2), "float32")
    np.testing.assert_array_equal(load(tmp_path / "model.keras", keras.Model)(data), model(data))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "ZIP archive is damaged"),
        (b"not a zip", "ZIP archive is damaged"),
        (b"PK\x05\x06" + bytes(18), "has no config.json"),
        (pickle.dumps({"a": 1}), "ZIP archive is damaged"),
    ],
)
def test_files_that_are_no_archive(tmp_path, content, reason):
    (tmp_path / "model.keras").write_bytes(content)
    assert reason in refusal(tmp_path / "model.keras")


def test_places_where_no_file_is(tmp_path):
    assert "No such file" in refusal(tmp_path / "model.keras")
    (tmp_path / "model.keras").mkdir()
    assert "not a regular file" in refusal(tmp_path / "model.keras")
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe/model.keras")
    assert "not a regular file" in refusal(tmp_path / "pipe/model.keras")


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_archives_that_lack_a_part(good, tmp_path, name):
    members = parts(good)
    del members[name]
    assert f"has no {name}" in refusal(written(tmp_path, members))


@pytest.mark.parametrize("name", ["../outside", "assets/../../outside", "payload.pkl", "/etc/cron.d/job"])
def test_archives_with_files_that_keras_does_not_write(good, tmp_path, name):
    assert "does not write" in refusal(written(tmp_path, parts(good) | {name: b"x"}))


def test_archives_that_unpack_to_more_than_they_are(good, tmp_path):
    members = parts(good)
    bomb = written(tmp_path, members | {"assets/zeros": bytes(50 * 2**20)}, zipfile.ZIP_DEFLATED)
    assert "compressed" in refusal(bomb)
    path = written(tmp_path, members)
    content = bytearray(path.read_bytes())
    size = content.rindex(b"PK\x01\x02") + 24
    content[size : size + 4] = (2**31).to_bytes(4, "little")  # the size that the directory states for the last member
    path.write_bytes(content)
    assert "states more data" in refusal(path)


def nested(depth: int) -> bytes:
    return b'{"config": ' + b'{"a": ' * depth + b"1" + b"}" * (depth + 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda config: b"{", "not valid JSON"),
        (lambda config: b"\xff\xfe", "not valid JSON"),
        (lambda config: b"[]", "does not describe a model"),
        (lambda config: b"null", "does not describe a model"),
        (lambda config: b"1" * 100_000, "not valid JSON|does not describe"),
        (lambda config: nested(200), "nested more than 100"),
        (lambda config: nested(1_000), "nested more than 100|not valid JSON"),
        (lambda config: nested(100_000), "not valid JSON"),
        (lambda config: config["config"].update(units=10**12), "units=1,000,000,000,000"),
        (lambda config: config["config"].update(units=-(10**12)), "units=-1,000,000,000,000"),
        (lambda config: config["config"].update(layers=10**12), "layers=1,000,000,000,000"),
        (lambda config: config["config"].update(sample_rate=10**12), "sample_rate=1,000,000,000,000"),
        (lambda config: config["config"].update(units=10**6), "asks for more weights"),
        (lambda config: config["config"].update(units=4), "asks for more weights|do not fit"),
        (lambda config: config["config"].update(units=2), "do not fit"),
        (lambda config: config["config"].update(layers=10**6), "asks for more weights"),
        (lambda config: config["config"].update(layers=0), "does not fit|do not fit"),
        (lambda config: config["config"].update(cell="lstm"), "asks for more weights|do not fit"),
        (lambda config: config["config"].update(cell="perceptron"), "perceptron"),
        (lambda config: config["config"].update(units="many\x1b[2J\nlines"), "many lines"),
        (lambda config: config["config"].update(units=None), "output_dim=None"),
        (lambda config: config["config"].update(unheard_of=1), "unheard_of"),
        (lambda config: config["config"].pop("vocabulary") and None, "vocabulary"),
        (lambda config: config.update(config=[]), "does not describe a model"),
        (lambda config: config.update(registered_name="a>Parser", class_name="Parser"), "unknown class 'a>Parser'"),
        (lambda config: config.update(registered_name=None, class_name="Tagger", module="os"), "Tagger"),
        (lambda config: config["config"].update(cell={"class_name": "LSTN", "config": {}}), "unknown class 'LSTN'"),
        (
            lambda config: config["config"].update(cell={"class_name": "system", "config": {}, "module": "os"}),
            "unknown class 'system'",
        ),
    ],
)  # fmt: skip
def test_configurations_that_are_refused(good, tmp_path, change, reason):
    message = refusal(with_config(good, tmp_path, change))
    assert any(part in message for part in reason.split("|")), message


def test_a_model_of_another_class_is_named(tmp_path):
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save(tmp_path / "model.keras")
    assert "as a Tagger: it holds a Sequential" in refusal(tmp_path / "model.keras")


class Bomb:
    """Pickled code that leaves a file behind when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mknod, (self.path,)


def test_a_run_may_hold_one_of_several_classes(good):
    assert isinstance(load(good, (Other, Tagger)), Tagger)
    assert "as a Other or Third: it holds a Tagger" in refusal(good, (Other, Third))


def test_no_code_in_a_file_is_run(good, tmp_path):
    trace = str(tmp_path / "trace")
    function = keras.layers.Lambda(lambda x, trace=trace: os.mknod(trace) or x)
    serialised = keras.saving.serialize_keras_object(function)
    for hidden in (
        serialised,
        {**serialised, "registered_name": "rnnapps_tests>Tagger"},
        serialised["config"]["function"],
        {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": str(tmp_path)}},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": pickle.dumps(1).hex()}},
    ):
        path = with_config(good, tmp_path, lambda config, hidden=hidden: config["config"].update(cell=hidden))
        assert "could run any code" in refusal(path)
    keras.Sequential([keras.Input((1,)), function]).save(tmp_path / "model.keras")
    os.unlink(trace)  # left when the model was built
    assert "could run any code" in refusal(tmp_path / "model.keras", keras.Model)
    pickled = pickle.dumps(Bomb(trace))
    assert "does not write" in refusal(written(tmp_path, parts(good) | {"model.weights.pkl": pickled}))
    assert "damaged" in refusal(written(tmp_path, parts(good) | {"model.weights.h5": pickled}))
    assert not os.path.exists(trace)


def external_link(file):
    del file["head/vars/0"]
    file["head/vars/0"] = h5py.ExternalLink("/etc/passwd", "/")


def soft_link(file):
    del file["head/vars/0"]
    file["head/vars/0"] = h5py.SoftLink("/embedding/vars/0")


def virtual(file):
    del file["head/vars/0"]
    layout = h5py.VirtualLayout((3, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "data", (3, 2))
    file.create_virtual_dataset("head/vars/0", layout)


def cycle(file):
    file["head/again"] = file["/"]


def shape_bomb(file):
    del file["head/vars/0"]
    file.create_dataset("head/vars/0", (10**6, 10**6), "f4", chunks=(1000, 1000), compression="gzip")


def replaced_by(value):
    def change(file):
        del file["head/vars/0"]
        file["head/vars/0"] = value

    return change


def removed(file):
    del file["head"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (external_link, "links to another place"),
        (soft_link, "links to another place"),
        (virtual, "another file"),
        (cycle, "links twice to one place"),
        (shape_bomb, "states more data"),
        (replaced_by(np.zeros((2, 3), "float32")), "do not fit"),
        (replaced_by(np.zeros((9, 9), "float32")), "do not fit"),
        (replaced_by("text"), "not an array of numbers"),
        (removed, "asks for more weights|do not fit"),
    ],
)
def test_weights_that_are_refused(good, tmp_path, change, reason):
    message = refusal(with_weights(good, tmp_path, change))
    assert any(part in message for part in reason.split("|")), message


def test_refusals_take_little_memory(good, tmp_path):
    load(good)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for change in ({"units": 10**12}, {"units": 10**6}, {"layers": 10**6}, {"sample_rate": 2**40}):
        refusal(with_config(good, tmp_path, lambda config, change=change: config["config"].update(change)))
    refusal(with_weights(good, tmp_path, shape_bomb))
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 200 * 2**20


def test_a_name_that_no_font_shows_is_written_as_its_escape(good, tmp_path):
    error = refusal(with_config(good, tmp_path, lambda config: config.update({"a\u0378\u200db": 2**40})))
    assert r"a\u0378\u200db=1,099,511,627,776" in error
