"""The folder for builds of the native engine, and the conditions for loading a library from it.

A shared library runs with all the rights of the process that loads it, and a truncated one kills that process. A
library is therefore loaded only if nobody but its owner and root could have written it and if it matches the checksum
next to it. If the cache cannot be used (no home folder, read-only, full, writable by others), a temporary folder that
only this process uses takes its place.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from rnnapps.errors import UserError
from rnnapps.file_lock import is_at, take_lock
from rnnapps.files import remove_leftovers, replacing

VARIABLE = "RNNAPPS_CACHE"
LIBRARY = "librnnapps.so"
CHECKSUM = f"{LIBRARY}.checksum"
LOCK = "lock"
FREE_BYTES = 64 << 20  # what a build needs at most: object files, the library, the compiler's temporary files
POLL_SECONDS = 0.1


class UnusableCache(UserError):
    """Why the cache cannot keep something, and what would help."""


def cache_folder() -> Path:
    """The folder of the cache: `$RNNAPPS_CACHE`, else `$XDG_CACHE_HOME/rnnapps`, else `~/.cache/rnnapps`.

    Raises:
        UnusableCache: If no variable is set and this user has no home folder.
    """
    if chosen := os.environ.get(VARIABLE):
        return Path(chosen).absolute()
    shared = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(shared):  # the XDG specification: relative paths are invalid and ignored
        return Path(shared) / "rnnapps"
    home = os.environ.get("HOME") or _home_of_user()
    if not os.path.isabs(home):
        raise UnusableCache(f"the home folder is unknown, got HOME={home!r}; set {VARIABLE} to a folder of your own")
    return Path(home) / ".cache" / "rnnapps"


def prepare_kept(folder: Path) -> None:
    """Makes a folder of the cache ready for writing, for anything other than builds.

    Raises:
        UnusableCache: If it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise unwritable(folder, error) from error


def unwritable(folder: Path, error: OSError) -> UnusableCache:
    """The error for a folder of the cache that cannot be written, or is full."""
    return UnusableCache(
        f"{folder} cannot be written: {error.strerror or error}; set {VARIABLE} to a folder of your own"
    )


def _home_of_user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:  # containers often run under a number without a name
        return ""


# ---- Trust ----------------------------------------------------------------------------------------------------------


def require_safe(folder: Path) -> None:
    """Checks that nobody but this user and root can change what a folder holds, now or later.

    The folder and the one above must belong to this user or root and be writable by no one else. A folder further up
    counts only if everybody may write there: what matters is whether others can put something else in our place.

    Args:
        folder: Folder of one build. It and the folders above it need not exist yet.

    Raises:
        UnusableCache: If somebody else could change it.
    """
    try:
        real = folder.resolve()
    except (OSError, RuntimeError) as error:  # a loop of symbolic links
        raise UnusableCache(f"{folder} cannot be read: {error}") from error
    ours = {folder, folder.parent, real, real.parent}
    for path in dict.fromkeys([folder, *folder.parents, real, *real.parents]):
        try:
            info = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise UnusableCache(f"{path} cannot be read: {error.strerror}") from error
        if not stat.S_ISDIR(info.st_mode):
            raise UnusableCache(f"{path} is not a folder; delete it or set {VARIABLE} to another folder")
        if path in ours and info.st_uid not in (os.getuid(), 0):
            raise UnusableCache(f"{path} belongs to user {info.st_uid}; set {VARIABLE} to a folder of your own")
        others = stat.S_IWOTH | (stat.S_IWGRP if path in ours else 0)
        if info.st_mode & others and not info.st_mode & stat.S_ISVTX:
            raise UnusableCache(f"{path} is writable by other users; run `chmod go-w {path}`")


def fault(folder: Path) -> str | None:
    """Why the library in a folder must not be loaded, or None if it may be.

    Args:
        folder: Folder of one build that `require_safe` has accepted.
    """
    library = folder / LIBRARY
    try:
        for path in (library, folder / CHECKSUM):
            info = path.lstat()
            if not stat.S_ISREG(info.st_mode):
                return f"{path} is not a regular file"
            if info.st_uid not in (os.getuid(), 0) or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return f"{path} can be changed by other users"
        if (folder / CHECKSUM).read_bytes() != _checksum(library):
            return f"{library} is damaged: it does not match its checksum"
    except OSError as error:
        return f"{error.filename} cannot be read: {error.strerror}"
    return None


def _checksum(library: Path) -> bytes:
    content = library.read_bytes()
    return f"{len(content)} {hashlib.sha256(content).hexdigest()}\n".encode()


# ---- Writing --------------------------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Makes a folder that a build can be written to, or reports at once why that is impossible.

    Raises:
        UnusableCache: If the folder cannot be written, is not safe, or its disk is full.
    """
    try:
        for path in (*reversed(folder.parents), folder):
            with contextlib.suppress(FileExistsError):
                if not path.exists():
                    path.mkdir(mode=0o755)  # whatever the umask: never writable by others
        require_safe(folder)
        os.close(_open_lock(folder))
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UnusableCache(f"{folder} cannot be written: {error.strerror}") from error
    _require_room(folder)


def require_writable(folder: Path) -> None:
    """Reports what `prepare` would, as far as that can be known without writing.

    Raises:
        UnusableCache: If `prepare` would fail.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        raise UnusableCache(f"{existing} cannot be written")
    _require_room(existing)


def _require_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        raise UnusableCache(f"{folder} cannot be written: {free >> 20} MB are free, {FREE_BYTES >> 20} MB are needed")
    if os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise UnusableCache(f"{folder} is on a file system mounted noexec; set {VARIABLE} to a folder elsewhere")


@cache
def private_folder() -> Path:
    """A folder that only this process uses; deleted when it ends.

    Raises:
        UnusableCache: If there is no folder for temporary files.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="rnnapps-")).resolve()
    except OSError as error:
        raise UnusableCache(f"there is no folder for temporary files: {error.strerror}; set TMPDIR") from error
    owner = os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # a forked process ends earlier than the one that made the folder
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


@contextlib.contextmanager
def locked(folder: Path, seconds: float, on_wait: Callable[[], None]) -> Iterator[None]:
    """Locks the folder against other builds; the lock of a killed process is released at once.

    Args:
        folder: Folder of one build, prepared.
        seconds: How long to wait for the build of another process.
        on_wait: Called once if there is a build to wait for.

    Raises:
        TimeoutError: If another build still runs after that time.
        OSError: If the folder cannot be written.
    """
    deadline = time.monotonic() + seconds
    waited = False
    while True:
        descriptor = _open_lock(folder)
        try:
            if take_lock(descriptor) and is_at(descriptor, folder / LOCK):
                yield
                return
        finally:
            os.close(descriptor)
        if time.monotonic() > deadline:
            raise TimeoutError
        if not waited:
            on_wait()
        waited = True
        time.sleep(POLL_SECONDS)


def is_locked(folder: Path) -> bool:
    """Whether a process is building in a folder at this moment."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not (take_lock(descriptor) and is_at(descriptor, folder / LOCK))
    finally:
        os.close(descriptor)


def _open_lock(folder: Path) -> int:
    return os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def empty(folder: Path) -> None:
    """Deletes everything in a locked folder except the lock: what an earlier or interrupted build left."""
    for path in folder.iterdir():
        if path.name != LOCK:
            delete(path)


def delete(path: Path) -> None:
    """Deletes a file, a symbolic link (not what it points to) or a folder with everything in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def store(library: Path, folder: Path) -> None:
    """Moves a library into a locked folder and writes its checksum; a power cut leaves both complete, or a mismatch."""
    with replacing(folder / LIBRARY, durable=True) as partial:
        library.rename(partial)
        partial.chmod(0o644)
    with replacing(folder / CHECKSUM, durable=True) as partial:
        partial.write_bytes(_checksum(folder / LIBRARY))
        partial.chmod(0o644)
