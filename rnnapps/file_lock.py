"""A lock on an open file against other processes; it ends with the file or its process, even by a kill."""

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
