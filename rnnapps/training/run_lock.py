"""One process at a time trains or removes a run; a kill frees it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from rnnapps.file_lock import is_at, take_lock
from rnnapps.run_folder import RunError, RunFolder


@contextlib.contextmanager
def run_lock(run: RunFolder) -> Iterator[None]:
    """Locks a run against other processes; its folder must exist.

    Raises:
        RunError: Another process holds it; the message says which.
        OSError: The folder cannot be written.
    """
    descriptor = _take(run)
    try:
        yield
    finally:
        run.lock_file.unlink(missing_ok=True)  # before others can take it, so that they make a file of their own
        os.close(descriptor)


def check_not_locked(run: RunFolder) -> None:
    """Refuses a run that another process trains or removes at this moment.

    Raises:
        RunError: One does; the message says which.
    """
    with contextlib.suppress(OSError):
        descriptor = os.open(run.lock_file, os.O_RDWR)
        try:
            _flock(descriptor, run)
        finally:
            os.close(descriptor)


def _take(run: RunFolder) -> int:
    while True:
        descriptor = os.open(run.lock_file, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _flock(descriptor, run)
            if is_at(descriptor, run.lock_file):
                os.truncate(descriptor, 0)
                os.write(descriptor, str(os.getpid()).encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its last holder has removed it in the meantime


def _flock(descriptor: int, run: RunFolder) -> None:
    if not take_lock(descriptor):
        number = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        process = f"process {number}" if number.isdigit() else "another process"
        raise RunError(
            f"{run.path}: {process} is training or removing this run; wait for it, stop it, or choose another --run-dir"
        )
