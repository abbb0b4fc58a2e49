"""Run folders: made once, opened with clear errors, never half-written."""

import errno
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading

import pytest

from rnnapps import training
from rnnapps.files import remove_leftovers, replacing, write_csv, write_json
from rnnapps.training.runs import new_run, resumed_run, writing_to
from tests.training import tiny_run


def create_run(path, config) -> training.RunFolder:
    with new_run(path, config) as run:
        return run


def resume_run(path, config, changeable=()) -> training.RunFolder:
    with resumed_run(path, config, changeable) as run:
        return run


@pytest.fixture
def other_process():
    """Starts another Python process that runs some code, and waits until it has printed a line."""
    processes = []

    def start(code: str) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


WRITING = """
import pathlib, time
from rnnapps.files import replacing
with replacing(pathlib.Path({path!r})) as partial:
    partial.write_text("half")
    print("ready", flush=True)
    time.sleep(600)
"""
LOCKING = """
import importlib.util, fcntl, os, time
file = open({path!r}, "w+")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(str(os.getpid()))
file.flush()
print("ready", flush=True)
time.sleep(600)
"""


def test_a_new_run_keeps_its_config(tmp_path):
    run = create_run(tmp_path / "a/b", {"units": 3, "name": "Ä", "lengths": (1, 2)})
    assert run.read_config() == {"units": 3, "name": "Ä", "lengths": [1, 2]}
    assert resume_run(tmp_path / "a/b", {"units": 3, "name": "Ä", "lengths": (1, 2)}) == run


def test_options_that_change_no_result_may_be_others_when_a_run_is_resumed(tmp_path):
    config = {"format": 2, "training": {"epochs": 3, "checkpoint_every": 200}}
    create_run(tmp_path / "run", config)
    other = {"format": 2, "training": {"epochs": 3, "checkpoint_every": 5}}
    with pytest.raises(training.RunError, match="another 'checkpoint_every': it was started with 200, got 5"):
        resume_run(tmp_path / "run", other)
    assert resume_run(tmp_path / "run", other, ["checkpoint_every"]).read_config() == other
    with pytest.raises(training.RunError, match="another 'epochs': it was started with 3, got 4"):
        resume_run(tmp_path / "run", {"format": 2, "training": {"epochs": 4}}, ["checkpoint_every"])


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file/run"):
        with pytest.raises(training.RunError, match="is not a folder; choose another --run-dir"):
            training.check_run_dir(path)


def test_a_folder_whose_name_is_not_utf8(tmp_path):
    with pytest.raises(training.RunError, match="not UTF-8, which TensorFlow needs; rename it"):
        training.check_run_dir(tmp_path / os.fsdecode(b"\xff"))


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # tests may run as root, who may write anywhere
    with pytest.raises(training.RunError, match=r"no permission in .*; choose another --run-dir"):
        create_run(tmp_path / "run", {})


def test_a_start_that_stopped_anywhere_can_be_resumed_or_overwritten(tmp_path, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    made = pathlib.Path.mkdir
    monkeypatch.setattr(
        pathlib.Path, "mkdir", lambda path, **how: killed() if path.name == "report" else made(path, **how)
    )
    with pytest.raises(KeyboardInterrupt):
        create_run(tmp_path / "run", {"units": 3})
    monkeypatch.undo()
    assert resume_run(tmp_path / "run", {"units": 3}).read_config() == {"units": 3}
    (tmp_path / "run" / "config.json").unlink()  # as an older version left it
    training.check_run_dir(tmp_path / "run", overwrite=True)
    training.remove_run(tmp_path / "run")
    assert create_run(tmp_path / "run", {"units": 4}).read_config() == {"units": 4}


def test_a_full_disk(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pathlib.Path, "write_bytes", full)
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


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "folder"
    for content in ("first", "second"):
        with replacing(path, durable=True) as partial:
            partial.mkdir()
            (partial / content).write_text(content)
        assert [file.name for file in path.iterdir()] == [content]
    with pytest.raises(KeyError), replacing(path) as partial:
        partial.mkdir()
        raise KeyError
    assert [file.name for file in tmp_path.rglob("*")] == ["folder", "second"]


def test_what_a_killed_process_left_is_removed_and_what_a_running_one_writes_stays(tmp_path, other_process):
    run = create_run(tmp_path / "run", {})
    (run.path / ".partial-mine.txt").write_text("a file of the user")
    processes = [other_process(WRITING.format(path=str(path))) for path in (run.model_file, run.report / "a.png")]
    with replacing(run.metrics_file) as own:
        own.write_text("{}")
        partials = [run.path / f".partial-{processes[0].pid}-model.keras"]
        partials += [run.report / f".partial-{processes[1].pid}-a.png"]
        assert all(partial.exists() for partial in partials)
        resume_run(run.path, {})
        assert all(partial.exists() for partial in (*partials, own))
        processes[0].send_signal(signal.SIGKILL)
        processes[0].wait()
        resume_run(run.path, {})
        assert [partial.exists() for partial in (*partials, own)] == [False, True, True]
    assert (run.path / ".partial-mine.txt").exists()


def test_what_an_earlier_process_of_the_same_number_left_is_removed(tmp_path):
    (tmp_path / f".partial-{os.getpid()}-checkpoint").mkdir()
    (tmp_path / f".partial-{os.getpid()}-checkpoint/variables").write_text("")
    remove_leftovers(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("action", ["resume", "overwrite", "check", "check before overwriting"])
def test_a_run_that_another_process_trains_is_refused(tmp_path, other_process, action):
    run = create_run(tmp_path / "run", {})
    process = other_process(LOCKING.format(path=str(run.lock_file)))
    actions = {
        "resume": lambda: resume_run(run.path, {}),
        "overwrite": lambda: training.remove_run(run.path),
        "check": lambda: training.check_run_dir(run.path, resume=True),
        "check before overwriting": lambda: training.check_run_dir(run.path, overwrite=True),
    }
    with pytest.raises(training.RunError, match=f"process {process.pid} is training or removing this run") as refused:
        actions[action]()
    assert "\n" not in str(refused.value)
    assert run.config_file.exists()
    process.send_signal(signal.SIGKILL)  # frees the lock
    process.wait()
    actions[action]()


def test_two_processes_cannot_start_one_run(tmp_path):
    with new_run(tmp_path / "run", {}):
        with pytest.raises(training.RunError, match=f"process {os.getpid()} is training"):
            create_run(tmp_path / "run", {})
        with pytest.raises(training.RunError, match=f"process {os.getpid()} is training"):
            training.remove_run(tmp_path / "run")
    training.remove_run(tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_is_locked_while_it_is_trained(tmp_path):
    refused = []

    class Resume(tiny_run.keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            def resume():
                try:
                    tiny_run.fit(tiny_run.model(), tmp_path / "run", resume=True)
                except training.RunError as error:
                    refused.append(str(error))

            thread = threading.Thread(target=resume)
            thread.start()
            thread.join()

    tiny_run.fit(tiny_run.model(), tmp_path / "run", epochs=1, callbacks=[Resume()])
    assert f"process {os.getpid()} is training" in refused[0]
    assert not training.RunFolder(tmp_path / "run").lock_file.exists()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "{run}/checkpoints/a"),
            "checkpoints/a: No space left on device; make room",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "{run}: No space left on device; make room"),
        (OSError(errno.EACCES, "Permission denied", "{run}"), "{run}: Permission denied; choose another --run-dir"),
        (
            OSError(errno.EROFS, "Read-only", "/elsewhere/file"),
            "{run}: /elsewhere/file: Read-only; choose another --run-dir",
        ),
    ],
)
def test_what_cannot_be_written_is_named_once(tmp_path, error, message):
    run = tmp_path / "run"
    error.filename = error.filename and error.filename.format(run=run)
    with pytest.raises(training.RunError) as caught, writing_to(run):
        raise error
    assert str(caught.value).startswith(f"cannot write the run folder {run}: ")
    assert str(caught.value).endswith(message.format(run=run))
