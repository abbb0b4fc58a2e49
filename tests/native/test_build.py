"""Building, finding again, failing, and doing without: with a compiler that only pretends, so that it is quick."""

from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from rnnapps import native
from rnnapps.errors import UserError
from rnnapps.native import __main__ as command
from rnnapps.native import build

PRETENDING_COMPILER = """#!/bin/sh
if [ "$1" = --version ]; then echo "pretended {version}"; exit 0; fi
echo "$@" >> {calls}
{body}
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then echo pretended > "$2"; fi
  shift
done
"""


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine with an empty cache, no compiler, and an engine that nobody has asked for yet."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("RNNAPPS_ENGINE", raising=False)
    monkeypatch.setattr(native, "_library", None)
    monkeypatch.setattr(native, "_reason", None)
    return tmp_path


def install_compiler(machine, body="", version="1"):
    """Puts a pretending c++ on PATH; returns the file in which it notes how it is called."""
    calls = machine / "calls"
    compiler = machine / "bin" / "c++"
    real_path = "PATH=/usr/bin:/bin"
    compiler.write_text(PRETENDING_COMPILER.format(version=version, calls=calls, body=f"{real_path}\n{body}"))
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    build._compiler_version.cache_clear()
    return calls


def count(calls):
    return len(calls.read_text().splitlines())


def test_the_engine_is_built_once_and_found_again(machine, capsys):
    calls = install_compiler(machine)
    library = build.build()
    assert library.read_text() == "pretended\n"
    assert library.is_relative_to(machine / "cache" / "rnnapps")
    assert capsys.readouterr().err == "rnnapps: building the native engine, about 10 s, once\n"
    first = count(calls)
    assert build.build() == library == build.built()
    assert count(calls) == first
    assert capsys.readouterr().err == ""


def test_nothing_is_left_beside_a_finished_build(machine):
    install_compiler(machine)
    library = build.build()
    assert [path.name for path in library.parent.parent.iterdir()] == [library.parent.name]


def test_another_compiler_means_another_build(machine):
    install_compiler(machine)
    library = build.build()
    install_compiler(machine, version="2")
    assert build.built() is None
    assert build.build() != library


def test_builds_at_the_same_time_end_with_one(machine):
    install_compiler(machine, body="sleep 0.1")
    with ThreadPoolExecutor(4) as pool:
        libraries = set(pool.map(lambda _: build.build(announce=lambda line: None), range(4)))
    assert len(libraries) == 1
    assert len(list((machine / "cache" / "rnnapps").iterdir())) == 1


def test_a_failed_build_is_remembered_with_its_log(machine):
    calls = install_compiler(machine, body="echo 'something is wrong'; exit 1")
    with pytest.raises(build.BuildError, match=r"does not compile here, see .*failed\.log"):
        build.build()
    first = count(calls)
    assert "something is wrong" in (build.folder() / build.LOG).read_text()
    with pytest.raises(build.BuildError, match=r"failed\.log"):
        build.build()
    assert count(calls) == first


def test_clear_forgets_a_failed_build(machine, capsys):
    install_compiler(machine, body="exit 1")
    with pytest.raises(build.BuildError):
        build.build()
    assert command.main(["clear"]) == 0
    assert capsys.readouterr().out.endswith(": 1\n")
    assert list((machine / "cache" / "rnnapps").iterdir()) == []


def test_without_a_compiler_the_graph_engine_is_used_and_said_once(machine, capsys):
    assert native.library() is None
    assert native.library() is None
    assert "compiler" in native.missing()
    hints = capsys.readouterr().err.splitlines()
    assert len(hints) == 1
    assert "using the graph engine" in hints[0]


def test_asked_for_by_name_without_a_compiler_is_an_error(machine, monkeypatch):
    monkeypatch.setenv("RNNAPPS_ENGINE", "native")
    with pytest.raises(build.BuildError, match="RNNAPPS_ENGINE=native: the native engine needs a C\\+\\+ compiler"):
        native.library()


def test_layers_run_without_a_compiler(machine):
    import numpy as np

    from rnnapps.layers import LSTM

    layer = LSTM(3)
    assert layer.engine.startswith("graph: the native engine needs a C++ compiler")
    assert layer.supports_jit
    assert layer(np.zeros((2, 4, 5), "float32")).shape == (2, 3)


def test_a_library_that_does_not_load_is_no_error(machine, capsys):
    install_compiler(machine)
    assert native.library() is None
    assert "does not load" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_is_a_clear_error(machine, monkeypatch):
    install_compiler(machine)
    (machine / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(machine / "file"))
    with pytest.raises(build.BuildError, match="cannot be written"):
        build.build()


def test_a_wrong_engine_is_named(monkeypatch):
    monkeypatch.setenv("RNNAPPS_ENGINE", "fast")
    with pytest.raises(UserError, match="RNNAPPS_ENGINE must be one of graph, native, auto; got 'fast'"):
        native.wanted()


def test_info_about_a_wrong_engine_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("RNNAPPS_ENGINE", "fast")
    assert command.main(["info"]) == 2
    assert capsys.readouterr().err.startswith("error: RNNAPPS_ENGINE must be one of")


def test_info_says_what_is_in_use(machine, capsys):
    assert command.main(["info"]) == 0
    assert "graph: the native engine needs a C++ compiler" in capsys.readouterr().out
    install_compiler(machine)
    assert command.main([]) == 0
    assert "not built yet" in capsys.readouterr().out
    assert command.main(["build"]) == 0
    assert capsys.readouterr().out.strip().endswith(build.LIBRARY)
    assert command.main(["info"]) == 0
    assert f"native: {os.environ['XDG_CACHE_HOME']}" in capsys.readouterr().out


def test_build_without_a_compiler_says_what_is_missing(machine, capsys):
    assert command.main(["build"]) == 2
    assert capsys.readouterr().err.startswith("error: the native engine needs a C++ compiler")
