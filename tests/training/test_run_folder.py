"""Run folders: made once, opened with clear errors, never half-written."""

import json
import os
import pathlib

import pytest

from rnnapps import training
from rnnapps.files import replacing, write_csv, write_json
from rnnapps.training.run_folder import create_run, resume_run


def test_a_new_run_keeps_its_config(tmp_path):
    run = create_run(tmp_path / "a/b", {"units": 3, "name": "Ä", "lengths": (1, 2)})
    assert run.read_config() == {"units": 3, "name": "Ä", "lengths": [1, 2]}
    assert resume_run(tmp_path / "a/b", {"units": 3, "name": "Ä", "lengths": (1, 2)}) == run


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file/run"):
        with pytest.raises(training.RunError, match="is not a folder; choose another --run-dir"):
            training.check_run_dir(path)


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root, who may write anywhere
    with pytest.raises(training.RunError, match=r"no permission in .*; choose another --run-dir"):
        create_run(tmp_path / "run", {})


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_text", full)
    with pytest.raises(training.RunError, match="No space left on device"):
        create_run(tmp_path / "run", {})


@pytest.mark.parametrize(
    ("config", "model", "said"), [(False, False, "no config.json"), (True, False, "no model.keras")]
)
def test_opening_what_is_no_finished_run(tmp_path, config, model, said):
    if config:
        (tmp_path / "config.json").write_text("{}")
    with pytest.raises(training.RunError, match=said):
        training.open_run(tmp_path)


def test_opening_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(training.RunError, match="no such run folder"):
        training.open_run(tmp_path / "nowhere")


def test_a_config_that_is_no_json(tmp_path):
    create_run(tmp_path / "run", {})
    (tmp_path / "run/config.json").write_text('{"a": ')
    with pytest.raises(training.RunError, match=r"cannot read .*config\.json"):
        resume_run(tmp_path / "run", {})


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(KeyError), replacing(path) as partial:
        partial.write_text("half")
        raise KeyError
    assert path.read_text() == "before"
    with replacing(path) as partial:
        partial.write_text("after")
        assert partial.suffix == ".txt" and path.read_text() == "before"
    assert path.read_text() == "after"
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]


def test_numbers_that_are_not_finite_become_null(tmp_path):
    write_json(tmp_path / "a.json", {"loss": float("nan"), "values": [float("inf"), 1.5]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"loss": None, "values": [None, 1.5]}


def test_a_column_that_comes_later_is_kept(tmp_path):
    write_csv(tmp_path / "a.csv", [{"epoch": 1}, {"epoch": 2, "f1": 0.5}])
    assert (tmp_path / "a.csv").read_text() == "epoch,f1\n1,\n2,0.5\n"
