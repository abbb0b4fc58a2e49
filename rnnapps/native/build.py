"""Compiles the native engine on the machine that runs it, once, and finds it again.

The sources next to this file become one shared library in the cache folder (`cache.py`). The name of its folder there
is a digest of everything that the library depends on: sources, flags, compiler, TensorFlow, processor. A stale library
is therefore never loaded. One process builds while others wait for it. If the compiler rejects the sources, its log
stays in the folder and no process tries again until something in the digest changes; if the compiler was killed, timed
out or found the disk full, the next process tries again.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from rnnapps.files import replacing
from rnnapps.native import compiler
from rnnapps.native.cache import (
    LIBRARY,
    UnusableCache,
    cache_folder,
    delete,
    empty,
    fault,
    is_locked,
    locked,
    prepare,
    private_folder,
    require_safe,
    require_writable,
    store,
)
from rnnapps.native.compiler import BuildError, Interrupted, Rejected, compile_library, folder_name

LOG = "failed.log"


def built() -> Path | None:
    """Path of the library if the cache has one that may be loaded."""
    try:
        folder = cache_folder() / folder_name()
        require_safe(folder)
    except (BuildError, UnusableCache):
        return None
    return None if fault(folder) else folder / LIBRARY


def state() -> str:
    """One line about what a process that asks for the library now would get; builds and writes nothing."""
    try:
        name = folder_name()
    except BuildError as error:
        return f"graph: {error}"
    try:
        folder = cache_folder() / name
        require_safe(folder)
        if not fault(folder):
            return f"native: {folder / LIBRARY}"
        if is_locked(folder):
            return f"native, being built by another process in {folder}"
        if (folder / LOG).exists():
            return f"graph: {_failed(folder / LOG)}"
        require_writable(folder)
    except UnusableCache as error:
        return f"native, built in a temporary folder by every process: {error}"
    why = f" again: {fault(folder)}" if (folder / LIBRARY).exists() else ""
    return f"native, built on first use or by `python -m rnnapps.native build`{why}"


def build(
    announce: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True), *, again: bool = False
) -> Path:
    """The library, built now if the cache has none that may be loaded.

    Args:
        announce: Called with one line about what takes time.
        again: Whether to build even if there is a library, or if a build failed before.

    Returns:
        Path of the shared library.

    Raises:
        BuildError: If there is no compiler, nowhere to write, or the build fails or has failed.
    """
    name = folder_name()
    try:
        try:
            folder = cache_folder() / name
            require_safe(folder)
            if not again and (library := _known(folder)):
                return library
            prepare(folder)
        except UnusableCache as error:
            folder = private_folder() / name
            if not again and (library := _known(folder)):
                return library
            prepare(folder)
            announce(f"rnnapps: {error}; the native engine is built in a temporary folder, for this process only")
        with locked(
            folder,
            compiler.BUILD_SECONDS,
            lambda: announce("rnnapps: waiting for another process that builds the native engine"),
        ):
            if not again and (library := _known(folder)):
                return library
            announce("rnnapps: building the native engine (once, about 10 s)")
            empty(folder)
            _compile(folder)
    except UnusableCache as error:
        raise BuildError(f"the native engine cannot be written: {error}") from error
    except TimeoutError as error:
        raise BuildError(
            f"another process has been building the native engine for {compiler.BUILD_SECONDS} s in {folder}; end it"
        ) from error
    except OSError as error:
        raise BuildError(
            f"the native engine cannot be written to {folder}: {error.strerror or error}; the next process tries again"
        ) from error
    return folder / LIBRARY


def clear() -> int:
    """Deletes every build, including failed and interrupted ones, and returns how many there were.

    Raises:
        BuildError: If one cannot be deleted.
    """
    try:
        builds = list(cache_folder().glob("native-" + 16 * "[0-9a-f]"))
    except UnusableCache:
        return 0
    for path in builds:
        try:
            delete(path)
        except OSError as error:
            raise BuildError(f"{path} cannot be deleted: {error.strerror or error}") from error
    return len(builds)


def _known(folder: Path) -> Path | None:
    """The library in a safe folder, None if there is no good one; raises BuildError if the sources were rejected."""
    why = fault(folder)
    if why is None:
        return folder / LIBRARY
    if (folder / LOG).exists():
        raise _failed(folder / LOG)
    return None


def _failed(log: Path) -> BuildError:
    lines = log.read_text("utf-8", errors="replace").splitlines()[1:]
    error = next((line for line in lines if "error" in line), lines[0] if lines else "the compiler printed nothing")
    return BuildError(
        f"the native engine does not compile here ({error.strip()[:300]}), see {log}; "
        "`python -m rnnapps.native build --again` tries once more"
    )


def _compile(folder: Path) -> None:
    """Puts the library into a locked folder, or the log of sources that the compiler rejects."""
    with tempfile.TemporaryDirectory(prefix="objects-", dir=folder, ignore_cleanup_errors=True) as temporary:
        try:
            library = compile_library(Path(temporary))
        except Interrupted as stopped:
            raise BuildError(f"the native engine was not built: {stopped}; the next process tries again") from None
        except Rejected as rejected:
            with replacing(folder / LOG) as partial:
                partial.write_text(str(rejected), "utf-8")
            raise _failed(folder / LOG) from None
        store(library, folder)
