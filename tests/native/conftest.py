"""The native engine, built once for these tests, and a machine with a compiler that only pretends."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnapps import native
from rnnapps.native import build, cache, compiler

PRETENDING_COMPILER = """#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = --version ]; then echo "pretended {version}"; exit 0; fi
echo "$@" >> {calls}
{body}
for last; do :; done
{output}
"""


class Machine:
    """A folder with an empty cache and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = folder / "cache"
        self.calls = folder / "calls"
        (folder / "bin").mkdir()

    def install_compiler(self, body: str = "", version: str = "1", output: str = 'echo pretended > "$last"') -> None:
        """Puts a c++ on PATH that notes how it is called, runs `body`, and then writes its output with `output`."""
        path = self.folder / "bin" / "c++"
        path.write_text(PRETENDING_COMPILER.format(version=version, calls=self.calls, body=body, output=output))
        path.chmod(0o755)
        compiler._compiler_version.cache_clear()

    def compilations(self) -> int:
        """How often the compiler was called so far."""
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0

    def build_folder(self) -> Path:
        return self.cache / compiler.folder_name()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with an empty cache, no compiler, and an engine that nobody has asked for yet."""
    for name in ("RNNAPPS_ENGINE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("RNNAPPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(native, "_library", None)
    monkeypatch.setattr(native, "_reason", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    cache.private_folder.cache_clear()
    yield Machine(tmp_path)
    cache.private_folder.cache_clear()
    compiler._compiler_version.cache_clear()


@pytest.fixture(scope="session")
def engine():
    """The module `rnnapps.recurrences.native`, ready to run; tests that need it are skipped without a compiler."""
    if compiler.compiler() is None:
        pytest.skip("no C++ compiler on PATH: the native engine cannot be built")
    build.build(announce=lambda line: None)  # a failure here is a failure of the tests
    from rnnapps.recurrences import native

    return native


@pytest.fixture(scope="session")
def real_library(engine):
    """Path of the library that `engine` has loaded."""
    return build.build()
