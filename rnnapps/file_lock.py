"""A lock on an open file against other processes; it ends with the file or its process, even by a kill."""

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def take_lock(descriptor: int) -> bool:
    """Whether this process has the lock now: False if another one has it.

    Where there are no locks (Windows, some network file systems), everybody gets it.

    Args:
        descriptor: An open file.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True


def is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one at a path: while a lock was waited for, somebody may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
