"""Starting, resuming, opening and removing runs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from rnnapps.files import NOT_UTF8, is_utf8, named_path, remove_folder, remove_leftovers, write_json
from rnnapps.run_folder import RunError, RunFolder
from rnnapps.training.run_lock import check_not_locked, run_lock


def check_run_dir(path: str | pathlib.Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Checks that a run can start here, before the data are read.

    Args:
        path: The run folder.
        resume: Whether a run is to be resumed there, or to be started.
        overwrite: Whether a run that is already there may be removed first.

    Raises:
        RunError: There is a run already (or none to resume), another process is training it, or the folder cannot
            be made or written to.
    """
    run = RunFolder(pathlib.Path(path))
    if not is_utf8(run.path.absolute()):
        raise RunError(f"{run.path}: {NOT_UTF8}")
    if resume and not run.is_run():
        raise RunError(f"{run.path} contains no run to resume: check the path, or start one without --resume")
    check_not_locked(run)
    if not (resume or overwrite) and _holds_run(run):
        raise RunError(
            f"{run.path} already contains a run: choose another --run-dir, "
            f"continue it with --resume {shlex.quote(str(run.path))}, or replace it with --overwrite"
        )
    existing = next(folder for folder in (run.path.absolute(), *run.path.absolute().parents) if os.path.lexists(folder))
    if not existing.is_dir():
        raise RunError(f"cannot make the run folder {run.path}: {existing} is not a folder; choose another --run-dir")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise RunError(f"cannot write the run folder {run.path}: no permission in {existing}; choose another --run-dir")


@contextlib.contextmanager
def new_run(path: str | pathlib.Path, config: Mapping[str, Any]) -> Iterator[RunFolder]:
    """Makes the folder of a new run, writes its `config.json`, and locks it until the block ends.

    Raises:
        RunError: As `check_run_dir`.
        TypeError: `config` holds something that JSON has no form for.
    """
    check_run_dir(path)
    run = RunFolder(pathlib.Path(path))
    with writing_to(run.path):
        run.path.mkdir(parents=True, exist_ok=True)
        with run_lock(run):
            if run.is_run():  # made by another process since the check
                check_run_dir(path)
            write_json(run.config_file, config)  # first: it makes the folder a run, which --resume and --overwrite take
            _make_folders(run)
            yield run


@contextlib.contextmanager
def resumed_run(
    path: str | pathlib.Path, config: Mapping[str, Any], changeable: Collection[str] = ()
) -> Iterator[RunFolder]:
    """Opens the folder of a run to resume, and locks it until the block ends.

    Args:
        path: The folder.
        config: The current options. They must be those that the run was started with, except those in `changeable`;
            these are written to `config.json`.
        changeable: Names of options that change no result.

    Raises:
        RunError: As `check_run_dir`, or an option differs; the message names it and both values.
    """
    check_run_dir(path, resume=True)
    run = RunFolder(pathlib.Path(path))
    with writing_to(run.path), run_lock(run):
        before = run.read_config()
        now = json.loads(json.dumps(dict(config)))  # as it would have been read back: tuples are lists
        if change := _first_change(before, now, changeable):
            option, old, new = change
            raise RunError(
                f"cannot resume {run.path} with another {option!r}: it was started with {old!r}, got {new!r}; "
                "give the original value, or start a new run in another --run-dir"
            )
        _make_folders(run)
        if now != before:
            write_json(run.config_file, now)
        yield run


def open_run(path: str | pathlib.Path) -> RunFolder:
    """Opens a run folder to use its model.

    Args:
        path: The folder.

    Returns:
        The run, which has a model.

    Raises:
        RunError: There is no such folder, it is not a run, or the run has no model yet.
    """
    run = RunFolder(pathlib.Path(path))
    if not run.path.is_dir():
        raise RunError(f"{run.path}: no such run folder; train with --run-dir creates one")
    if not run.is_run():
        raise RunError(f"{run.path} is not a run folder: it has no config.json; give the folder that `train` wrote")
    if not run.model_file.exists():
        raise RunError(f"{run.path} has no model.keras yet: it stopped in its first epoch; continue it with --resume")
    return run


def remove_run(path: str | pathlib.Path) -> None:
    """Removes the files of a run, and the folder if nothing else is in it. Does nothing if there is no run.

    Raises:
        RunError: Another process is training the run, or something cannot be removed.
    """
    run = RunFolder(pathlib.Path(path))
    if not _holds_run(run):
        return
    with writing_to(run.path):
        with run_lock(run):
            _remove_leftovers(run)
            for folder in run.folders:
                if folder.exists():
                    remove_folder(folder)  # an error leaves the model where it is
            for file in run.files:
                file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # the user keeps something else in it
            run.path.rmdir()


@contextlib.contextmanager
def writing_to(path: pathlib.Path) -> Iterator[None]:
    """Turns the system's errors about files (no permission, disk full) into a RunError about `path`."""
    try:
        yield
    except OSError as error:
        file = named_path(error) or path
        place = "" if file == path else str(file).removeprefix(f"{path}{os.sep}") + ": "
        advice = "choose another --run-dir"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            resume = f", then continue with --resume {shlex.quote(str(path))}" if RunFolder(path).is_run() else ""
            advice = f"make room{resume}"
        raise RunError(f"cannot write the run folder {path}: {place}{error.strerror or error}; {advice}") from error


def _holds_run(run: RunFolder) -> bool:
    """Whether a folder holds a run, or what is left of one."""
    return any(part.exists() for part in (run.config_file, run.model_file, run.checkpoints))


def _make_folders(run: RunFolder) -> None:
    for folder in run.folders:
        folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(run)


def _remove_leftovers(run: RunFolder) -> None:
    for folder in (run.path, *run.folders):
        remove_leftovers(folder)


def _first_change(
    before: Mapping[str, Any], now: Mapping[str, Any], changeable: Collection[str]
) -> tuple[str, Any, Any] | None:
    """The first option that differs and may not, with both values; looks into groups of options."""
    for option in [*before, *(key for key in now if key not in before)]:
        old, new = before.get(option), now.get(option)
        if old == new or option in changeable:
            continue
        if not (isinstance(old, dict) and isinstance(new, dict)):
            return option, old, new
        if change := _first_change(old, new, changeable):
            return change
    return None
