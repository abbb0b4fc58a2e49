"""The run folder: what one training run leaves behind, and where."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pathlib
import shlex
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from rnnapps.files import write_json
from rnnapps.training.errors import RunError


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The paths of a run's files.

    Args:
        path: The folder itself. Making a `RunFolder` touches no disk; `create_run` and `open_run` do.

    Example:
        >>> RunFolder(pathlib.Path("runs/first")).model_file.as_posix()
        'runs/first/model.keras'
    """

    path: pathlib.Path

    @property
    def config_file(self) -> pathlib.Path:
        """The options that the run was started with, as JSON."""
        return self.path / "config.json"

    @property
    def model_file(self) -> pathlib.Path:
        """The best model so far, in Keras's format."""
        return self.path / "model.keras"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Folder of the states from which the run can be resumed."""
        return self.path / "checkpoints"

    @property
    def history_file(self) -> pathlib.Path:
        """One CSV line an epoch."""
        return self.path / "history.csv"

    @property
    def metrics_file(self) -> pathlib.Path:
        """How the run ended, as JSON; `add_metrics` adds to it."""
        return self.path / "metrics.json"

    @property
    def logs(self) -> pathlib.Path:
        """Folder of the TensorBoard event files."""
        return self.path / "logs"

    @property
    def report(self) -> pathlib.Path:
        """Folder of the pictures."""
        return self.path / "report"

    def read_config(self) -> dict[str, Any]:
        """Returns the options that the run was started with.

        Raises:
            RunError: There is no readable `config.json`.
        """
        return _read_json(self.config_file)

    def read_metrics(self) -> dict[str, Any]:
        """Returns what `metrics.json` holds; nothing yet gives an empty dictionary.

        Raises:
            RunError: `metrics.json` is there and cannot be read.
        """
        return _read_json(self.metrics_file) if self.metrics_file.exists() else {}

    def add_metrics(self, **sections: Any) -> None:
        """Adds or replaces top-level entries of `metrics.json`, for example `add_metrics(test={"accuracy": 0.9})`."""
        write_json(self.metrics_file, self.read_metrics() | sections)


def check_run_dir(path: str | pathlib.Path, *, resume: bool = False) -> None:
    """Says at once what would otherwise show after the data have been read: that a run cannot start here.

    Args:
        path: The run folder to be.
        resume: Whether a run is to go on there, or to begin.

    Raises:
        RunError: A run is there already (or, to resume, is not), or the folder cannot be made or written to.
    """
    run = RunFolder(pathlib.Path(path))
    if resume and not run.config_file.exists():
        raise RunError(f"{run.path} holds no run to resume: check the path, or start one without --resume")
    if not resume and (run.config_file.exists() or run.model_file.exists() or run.checkpoints.exists()):
        raise RunError(
            f"{run.path} already holds a run: choose another --run-dir, "
            f"go on with --resume {shlex.quote(str(run.path))}, or replace it with --overwrite"
        )
    existing = next(folder for folder in (run.path.absolute(), *run.path.absolute().parents) if os.path.lexists(folder))
    if not existing.is_dir():
        raise RunError(f"cannot make the run folder {run.path}: {existing} is not a folder; choose another --run-dir")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise RunError(f"cannot write the run folder {run.path}: no permission in {existing}; choose another --run-dir")


def remove_run(path: str | pathlib.Path) -> None:
    """Removes the files of a run, and the folder if nothing else is in it. No run, nothing done.

    Raises:
        RunError: Something cannot be removed.
    """
    run = RunFolder(pathlib.Path(path))
    if not run.config_file.exists():
        return
    with writing_to(run.path):
        for folder in (run.checkpoints, run.logs, run.report):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (run.model_file, run.history_file, run.metrics_file, run.config_file):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the user keeps something of his own in it
            run.path.rmdir()


def create_run(path: str | pathlib.Path, config: Mapping[str, Any]) -> RunFolder:
    """Makes the folder of a new run and writes its `config.json`.

    Raises:
        RunError: As `check_run_dir`.
        TypeError: `config` holds something that JSON has no form for.
    """
    check_run_dir(path)
    run = RunFolder(pathlib.Path(path))
    with writing_to(run.path):
        _make_folders(run)
        write_json(run.config_file, config)
    return run


def resume_run(path: str | pathlib.Path, config: Mapping[str, Any]) -> RunFolder:
    """Opens the folder of a run that is to go on, and checks that it goes on with the options that it started with.

    Raises:
        RunError: As `check_run_dir`, or an option differs; the message names it and both values.
    """
    check_run_dir(path, resume=True)
    run = RunFolder(pathlib.Path(path))
    before = run.read_config()
    now = json.loads(json.dumps(dict(config)))  # as it would have been read back: tuples are lists
    for option in [*before, *(key for key in now if key not in before)]:
        if before.get(option) != now.get(option):
            raise RunError(
                f"cannot resume {run.path} with another {option!r}: it was started with {before.get(option)!r}, "
                f"now it is {now.get(option)!r}; give the first value, or start a new run in another --run-dir"
            )
    with writing_to(run.path):
        _make_folders(run)
    return run


def open_run(path: str | pathlib.Path) -> RunFolder:
    """Opens a run folder to use its model.

    Raises:
        RunError: There is no such folder, it is no run, or the run has no model yet.
    """
    run = RunFolder(pathlib.Path(path))
    if not run.path.is_dir():
        raise RunError(f"{run.path}: no such run folder; train with --run-dir makes one")
    if not run.config_file.exists():
        raise RunError(f"{run.path} is not a run folder: it has no config.json; give the folder that `train` wrote")
    if not run.model_file.exists():
        raise RunError(f"{run.path} has no model.keras yet: it stopped in its first epoch; go on with --resume")
    return run


@contextlib.contextmanager
def writing_to(path: pathlib.Path) -> Iterator[None]:
    """Turns the system's errors about files (no permission, disk full) into a RunError about `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename2 or error.filename or path
        raise RunError(f"cannot write the run folder {path}: {where}: {reason}; choose another --run-dir") from error


def _make_folders(run: RunFolder) -> None:
    for folder in (run.path, run.checkpoints, run.logs, run.report):
        folder.mkdir(parents=True, exist_ok=True)


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"cannot read {path}: {error}; restore the file, or start a new run") from error
