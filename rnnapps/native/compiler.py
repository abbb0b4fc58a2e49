"""The machine's C++ compiler: what a build depends on, and the commands that make the library.

A compiler fails for two kinds of reason. Errors in the sources come back every time; the others (killed, out of memory,
disk full, too slow) pass. `Rejected` and `Interrupted` tell them apart, so that only the former are remembered.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import tensorflow as tf

from rnnapps.errors import UserError

SOURCES = Path(__file__).parent
BUILD_SECONDS = 600  # a build that takes longer is given up
# All files must agree on the processor: the width of a vector is part of the layout that they share.
FLAGS = ("-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fPIC")
KERNEL_FLAGS = ("-std=c++17", "-O3")
# The files with TensorFlow's headers have no loop worth the optimiser's time; the headers alone take eight seconds.
# Their Eigen does not compile with the 16-bit floats of AVX-512 (Sapphire Rapids and later), which nothing here uses.
OPS_FLAGS = ("-O1", "-w", "-U__AVX512FP16__")
OPS = ("ops.cc", "shapes.cc")
# Variables that change what a compiler finds.
VARIABLES = ("CPATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "COMPILER_PATH", "GCC_EXEC_PREFIX")
# What compilers, assemblers and linkers print when the machine, not the source, stopped them.
PASSING = re.compile(
    r"no space left|disk quota|file too large|cannot allocate|out of memory|memory exhausted|bad_alloc"
    r"|resource temporarily unavailable|too many open files|input/output error|read-only file system"
    r"|permission denied|stale file handle|text file busy|killed|terminat|signal|internal compiler error"
    r"|bus error|segmentation fault|interrupt|timed? ?out",
    re.IGNORECASE,
)


class BuildError(UserError):
    """The native engine cannot be built here; the message says why and what to do."""


class Rejected(Exception):
    """The compiler does not accept the sources, now or next time; the message is its log."""


class Interrupted(Exception):
    """Something outside the sources stopped the compiler; the message says what."""


def compiler() -> str | None:
    """Path of the C++ compiler: the first of c++, g++ and clang++ on PATH, or None."""
    return next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


def folder_name() -> str:
    """Name of the folder for the sources, compiler, TensorFlow and processor of this process.

    Raises:
        BuildError: If there is no compiler that runs.
    """
    if os.name != "posix":
        raise BuildError(f"the native engine needs Linux or macOS, got {sys.platform}")
    path = compiler()
    if path is None:
        raise BuildError("the native engine needs a C++ compiler (c++, g++ or clang++) and none is on PATH")
    digest = hashlib.sha256()
    for part in (_compiler_version(path), tf.version.VERSION, tf.version.GIT_VERSION, _processor(), *_tf_flags()):
        digest.update(part.encode() + b"\0")
    for part in (*FLAGS, *KERNEL_FLAGS, *OPS_FLAGS, *(os.environ.get(name, "") for name in VARIABLES)):
        digest.update(os.fsencode(part) + b"\0")
    for source in sorted(SOURCES.glob("*.h")) + sorted(SOURCES.glob("*.cc")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return f"native-{digest.hexdigest()[:16]}"


def compile_library(folder: Path) -> Path:
    """Compiles the sources and links them.

    Args:
        folder: Empty folder for the library, the object files and the compiler's temporary files.

    Returns:
        Path of the library in that folder.

    Raises:
        Rejected: If the compiler does not accept the sources.
        Interrupted: If it could not finish, for a reason that may pass.
        OSError: If the folder cannot be written.
    """
    path = compiler()

    def to_object(source: Path) -> list[str | Path]:
        flags = (*OPS_FLAGS, *_tf_flags()) if source.name in OPS else KERNEL_FLAGS
        return [str(path), *FLAGS, *flags, "-c", source, "-o", folder / f"{source.stem}.o"]

    # The slowest files first, the others in parallel.
    sources = sorted(SOURCES.glob("*.cc"), key=lambda source: source.name not in OPS)
    objects = [folder / f"{source.stem}.o" for source in sources]
    library = folder / "library.so"
    deadline = time.monotonic() + BUILD_SECONDS
    _run_all(map(to_object, sources), folder, deadline)
    _run_all([[str(path), "-shared", *objects, *tf.sysconfig.get_link_flags(), "-o", library]], folder, deadline)
    return library


def _passing_reason(status: int, log: str) -> str | None:
    """What stopped a compiler, if unrelated to the sources; None if it would fail the same way again."""
    if status < 0 or status > 128:  # a shell around the compiler adds 128 to the number of the signal
        return f"the compiler was killed by signal {-status if status < 0 else status - 128}"
    if status in (126, 127):
        return f"the compiler could not be run (exit status {status})"
    lines = [line.strip() for line in log.splitlines() if PASSING.search(line)]
    return f"the compiler says {lines[-1][:200]!r}" if lines else None


def _run_all(commands: Iterable[list[str | Path]], folder: Path, deadline: float) -> None:
    """Runs compiler commands, each ending with the path of its output, as many at a time as there are processors.

    Raises:
        Rejected: As soon as one fails; the others are terminated.
        Interrupted: As soon as one is stopped, or when the time is up; the others are terminated.
        OSError: If one cannot be started.
    """
    # Messages in English, for PASSING; temporary files on the disk that was checked for space.
    environment = {**os.environ, "LC_ALL": "C", "TMPDIR": str(folder)}
    waiting = [[str(part) for part in command] for command in commands]
    running: list[tuple[list[str], subprocess.Popen]] = []
    try:
        while waiting or running:
            while waiting and len(running) < (os.cpu_count() or 1):
                command = waiting.pop(0)
                # A file, not a pipe: children of a compiler that was killed would hold a pipe open.
                with open(f"{command[-1]}.log", "wb") as log:
                    running.append(
                        (
                            command,
                            subprocess.Popen(
                                command,
                                stdin=subprocess.DEVNULL,
                                stdout=log,
                                stderr=log,
                                env=environment,
                                start_new_session=True,
                            ),
                        )
                    )
            for command, process in list(running):
                if process.poll() is None:
                    continue
                running.remove((command, process))
                if process.returncode != 0:
                    printed = Path(f"{command[-1]}.log").read_text("utf-8", errors="replace")
                    if reason := _passing_reason(process.returncode, printed):
                        raise Interrupted(reason)
                    raise Rejected(f"$ {' '.join(command)}\n{printed}")
            if running and time.monotonic() > deadline:
                raise Interrupted(f"the compiler did not finish in {BUILD_SECONDS} s")
            time.sleep(0.01)
    finally:
        for _, process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _tf_flags() -> list[str]:
    return tf.sysconfig.get_compile_flags()


@cache
def _compiler_version(path: str) -> str:
    try:
        done = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"the native engine needs a C++ compiler, and `{path} --version` fails: {error}") from error
    return f"{path} {done.stdout}"


@cache
def _processor() -> str:
    """What -march=native depends on."""
    lines = [platform.machine()]
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0].splitlines():
            if line.split(":")[0].strip() in ("model name", "flags", "Features", "CPU part", "CPU implementer"):
                lines.append(line)
    except OSError:
        lines.append(platform.processor())
    return "\n".join(lines)
