"""The progress of a job, in a file next to its output, so that it can continue after an interrupt or a kill."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from rnnapps.datasets.rows import START, Place, Rows
from rnnapps.errors import UserError
from rnnapps.file_lock import is_at, take_lock
from rnnapps.files import replacing

_LARGEST = 2**20  # bytes; a position has a few hundred

Job = dict[str, Any]


class Paths(NamedTuple):
    """The files of a job, next to its output.

    Attributes:
        partial: The output, until it is complete.
        rejects: The rows that have no answer, and why.
        position: How far both go.
    """

    partial: Path
    rejects: Path
    position: Path


class Progress(NamedTuple):
    """The progress of a job.

    Attributes:
        place: Where reading continues in the input.
        output_bytes: How much of the output belongs to what was read.
        rejects_bytes: How much of the rejects does.
        answered: The number of rows with an answer.
        rejected: The number of rows without one.
    """

    place: Place = START
    output_bytes: int = 0
    rejects_bytes: int = 0
    answered: int = 0
    rejected: int = 0

    @property
    def rows(self) -> int:
        """The number of rows so far."""
        return self.answered + self.rejected


def paths(output: Path) -> Paths:
    """The files of the job that writes an output."""
    return Paths(*(output.with_name(output.name + suffix) for suffix in (".partial", ".rejects.csv", ".position")))


def job(rows: Rows, outputs: tuple[str, ...], source: str) -> Job:
    """What must be the same for a job to continue, as JSON values.

    Args:
        rows: The input.
        outputs: The names of the answers that are written.
        source: Identifies the model.
    """
    if rows.files:
        state: Any = hashlib.sha256("\0".join(map(str, rows.files)).encode(errors="surrogateescape")).hexdigest()
    else:
        status = rows.path.stat()
        state = [status.st_size, status.st_mtime_ns]
    path = os.fsencode(rows.path.resolve()).decode(errors="backslashreplace")
    return {
        "input": path,
        "state": state,
        "columns": [*rows.inputs, *rows.optional],
        "quoting": rows.quoting,
        "outputs": list(outputs),
        "source": source,
    }


def saved_progress(files: Paths, job: Job, overwrite: bool) -> Progress | None:
    """The earlier progress of the same job.

    Args:
        files: The files of the job.
        job: What must be the same.
        overwrite: Whether another job's files may be replaced.

    Returns:
        The progress, or None to start from the beginning.

    Raises:
        UserError: The position is damaged, or it belongs to another job.
    """
    try:
        with open(files.position, "rb") as file:
            saved = json.loads(file.read(_LARGEST))
        # The digest shows that we wrote all of it, so nothing else needs to be checked.
        intact = saved["digest"] == _digest(saved["job"], saved["done"])
        same = [name for name in job if saved["job"].get(name) == job[name]] if intact else []
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        intact = False
    if not intact:
        if overwrite:
            return None
        raise UserError(f"{files.position}: damaged; delete it, or start from the beginning with --overwrite")
    if len(same) < len(job):
        if overwrite:
            return None
        name = next(name for name in job if name not in same)
        what = "the input has changed" if name == "state" else f"different {name}"
        raise UserError(
            f"{files.partial}: belongs to a different job ({what}); "
            "start from the beginning with --overwrite, or choose another --output"
        )
    place, *rest = saved["done"]
    progress = Progress(Place(*place), *rest)
    complete = _size(files.partial) >= progress.output_bytes and _size(files.rejects) >= progress.rejects_bytes
    return progress if complete else None


def save_progress(files: Paths, job: Job, progress: Progress, *written: BinaryIO) -> None:
    """Writes the progress of a job, once everything that it has written is on the disk.

    Args:
        files: The files of the job.
        job: What must be the same for the job to continue.
        progress: The progress.
        written: The open files whose bytes `progress` counts.
    """
    for file in written:
        file.flush()
        os.fsync(file.fileno())
    with replacing(files.position, durable=True) as partial:
        partial.write_text(json.dumps({"job": job, "done": progress, "digest": _digest(job, progress)}), "utf-8")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[BinaryIO]:
    """A file to read and write that no other job has open; created if needed. A kill unlocks it.

    Raises:
        UserError: Another process has it open.
    """
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        if not (take_lock(file.fileno()) and is_at(file.fileno(), path)):
            raise UserError(f"{path}: another process is writing it; wait, or choose another --output")
        yield file


def _digest(job: Any, done: Any) -> str:
    return hashlib.sha256(json.dumps([job, done], sort_keys=True).encode()).hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
