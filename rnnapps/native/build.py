"""Compiles the native engine on the machine that runs it, once, and finds it again.

The sources beside this file become one shared library in the user's cache folder, `$XDG_CACHE_HOME/rnnapps` or
`~/.cache/rnnapps`. Its folder is named by a digest of everything that the library depends on: sources, flags, compiler,
TensorFlow, processor: nothing stale is ever loaded. A build happens in a temporary folder beside it and is renamed
when complete: processes that build at the same time do not disturb each other, and the first to finish wins. A build
that fails leaves its log in the same place and is not tried again until something in the digest changes, or `clear`.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import tensorflow as tf

from rnnapps.errors import UserError

SOURCES = Path(__file__).parent
LIBRARY = "librnnapps.so"
LOG = "failed.log"
# All files must agree on the processor: the width of a vector is part of the layout that they share.
FLAGS = ("-march=native", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math", "-fPIC")
KERNEL_FLAGS = ("-std=c++17", "-O3")
# The file with TensorFlow's headers has no loop worth the optimiser's time; the headers alone take eight seconds. Their
# Eigen does not compile where it sees 16-bit floats of AVX-512 (Sapphire Rapids and later), which nothing here uses.
OPS_FLAGS = ("-O1", "-w", "-U__AVX512FP16__")


class BuildError(UserError):
    """The native engine cannot be built here; the message says why and what to do."""


def cache_folder() -> Path:
    """The folder of everything this module writes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rnnapps"


def compiler() -> str | None:
    """Path of the C++ compiler: the first of c++, g++ and clang++ on PATH, or None."""
    return next(filter(None, map(shutil.which, ("c++", "g++", "clang++"))), None)


def folder() -> Path:
    """The folder of the library for the sources, compiler, TensorFlow and processor of this process.

    Raises:
        BuildError: if there is no compiler.
    """
    found = compiler()
    if found is None:
        raise BuildError("the native engine needs a C++ compiler (c++, g++ or clang++) and none is on PATH")
    digest = hashlib.sha256()
    for part in (_compiler_version(found), tf.version.VERSION, tf.version.GIT_VERSION, _processor(), *_tf_flags()):
        digest.update(part.encode() + b"\0")
    for part in (*FLAGS, *KERNEL_FLAGS, *OPS_FLAGS):
        digest.update(part.encode() + b"\0")
    for source in sorted(SOURCES.glob("*.h")) + sorted(SOURCES.glob("*.cc")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return cache_folder() / f"native-{digest.hexdigest()[:16]}"


def built() -> Path | None:
    """Path of the library if it is built already."""
    try:
        library = folder() / LIBRARY
    except BuildError:
        return None
    return library if library.exists() else None


def build(announce: Callable[[str], None] = lambda line: print(line, file=sys.stderr, flush=True)) -> Path:
    """The library, built now if it is not yet.

    Args:
        announce: is told, in one line, when a build starts.

    Returns:
        Path of the shared library.

    Raises:
        BuildError: if there is no compiler, the cache folder cannot be written, or the build fails or has failed.
    """
    target = folder()
    if (target / LIBRARY).exists():
        return target / LIBRARY
    if (target / LOG).exists():
        raise _failed(target / LOG)
    announce("rnnapps: building the native engine, about 10 s, once")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{target.name}-", dir=target.parent) as temporary:
            result = Path(temporary) / "result"
            result.mkdir()
            _compile(result)
            try:
                result.rename(target)
            except OSError:  # another process was faster, or its failed build lies there
                if not (target / LIBRARY).exists() and not (target / LOG).exists():
                    raise
    except OSError as error:
        raise BuildError(
            f"the native engine cannot be written to {target.parent}: {error.strerror or error}"
        ) from error
    if not (target / LIBRARY).exists():
        raise _failed(target / LOG)
    return target / LIBRARY


def clear() -> int:
    """Deletes every build, also failed and interrupted ones, and returns how many there were."""
    builds = list(cache_folder().glob("native-*"))
    for one in builds:
        shutil.rmtree(one, ignore_errors=True)
    return len(builds)


def _failed(log: Path) -> BuildError:
    return BuildError(
        f"the native engine does not compile here, see {log}; `python -m rnnapps.native build --again` tries once more"
    )


def _compile(result: Path) -> None:
    """Leaves the library or the log in the folder `result`."""
    found = compiler()
    objects = result.parent

    def run(*arguments: str | Path) -> str | None:
        """The log of a command that failed, or None."""
        command = [found, *map(str, arguments)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        return None if done.returncode == 0 else f"$ {' '.join(command)}\n{done.stdout}"

    def to_object(source: Path) -> str | None:
        flags = (*OPS_FLAGS, *_tf_flags()) if source.name == "ops.cc" else KERNEL_FLAGS
        return run(*FLAGS, *flags, "-c", source, "-o", objects / f"{source.stem}.o")

    started = time.monotonic()
    # The longest first, the others beside it.
    sources = sorted(SOURCES.glob("*.cc"), key=lambda source: source.name != "ops.cc")
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        failures = [log for log in pool.map(to_object, sources) if log]
    if not failures:
        inputs = [objects / f"{source.stem}.o" for source in sources]
        log = run("-shared", *inputs, "-o", result / LIBRARY, *tf.sysconfig.get_link_flags())
        failures = [log] if log else []
    if failures:
        (result / LIBRARY).unlink(missing_ok=True)
        (result / LOG).write_text("\n".join(failures))
    else:
        (result / "seconds").write_text(f"{time.monotonic() - started:.1f}\n")


def _tf_flags() -> list[str]:
    return tf.sysconfig.get_compile_flags()


@cache
def _compiler_version(path: str) -> str:
    done = subprocess.run([path, "--version"], capture_output=True, text=True, errors="replace")
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
