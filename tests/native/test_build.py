"""Building, finding again, failing, and running without: with a compiler that only pretends, so that it is quick."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rnnapps import native
from rnnapps.errors import UserError
from rnnapps.native import __main__ as command
from rnnapps.native import build, cache, compiler


def info(capsys):
    assert command.main(["info"]) == 0
    return capsys.readouterr().out.splitlines()[-1].removeprefix("engine").strip()


def test_the_engine_is_built_once_and_found_again(machine, capsys):
    machine.install_compiler()
    library = build.build()
    assert library.read_text() == "pretended\n"
    assert library == machine.build_folder() / "librnnapps.so"
    assert capsys.readouterr().err == "rnnapps: building the native engine (once, about 10 s)\n"
    compilations = machine.compilations()
    assert build.build() == library == build.built()
    assert machine.compilations() == compilations
    assert capsys.readouterr().err == ""


def test_a_finished_build_is_a_library_its_checksum_and_a_lock(machine):
    machine.install_compiler()
    library = build.build()
    assert {path.name for path in library.parent.iterdir()} == {cache.LIBRARY, cache.CHECKSUM, cache.LOCK}
    assert [path.name for path in machine.cache.iterdir()] == [library.parent.name]


def test_another_compiler_means_another_build(machine):
    machine.install_compiler()
    library = build.build()
    machine.install_compiler(version="2")
    assert build.built() is None
    assert build.build() != library


def test_of_builds_at_the_same_time_one_compiles(machine):
    machine.install_compiler(body="sleep 0.05")
    lines = []
    with ThreadPoolExecutor(4) as pool:
        libraries = set(pool.map(lambda _: build.build(announce=lines.append), range(4)))
    assert len(libraries) == 1
    assert machine.compilations() == len(list(compiler.SOURCES.glob("*.cc"))) + 1
    assert sum("building the native engine (once" in line for line in lines) == 1
    assert sum("waiting for another process" in line for line in lines) == 3


# ---- Failures -------------------------------------------------------------------------------------------------------

REJECTIONS = {
    "a mistake in a source": "echo 'lstm.cc:1:2: error: expected a declaration' >&2; exit 1",
    "an option it does not know": "echo 'c++: error: unrecognized command-line option' >&2; exit 1",
    "a library that is missing": (
        'case "$*" in *-shared*) echo "ld: cannot find -ltensorflow_framework" >&2; exit 1;; esac'
    ),
    "a failure without a word": "exit 2",
}
PASSING = {
    "killed": "kill -KILL $$",
    "killed by Ctrl-C": "kill -INT $$",
    "killed in a wrapper": "exit 137",
    "its child killed": "echo 'c++: fatal error: Killed signal terminated program cc1plus' >&2; exit 1",
    "clang's child killed": "echo 'clang++: error: unable to execute command: Killed' >&2; exit 254",
    "no memory": "echo 'cc1plus: out of memory allocating 65536 bytes' >&2; exit 1",
    "no memory for a process": "echo 'c++: fatal error: cannot execute as: vfork: Cannot allocate memory' >&2; exit 1",
    "disk full": "echo 'as: /x/y.o: No space left on device' >&2; exit 1",
    "quota": "echo 'ld: final link failed: Disk quota exceeded' >&2; exit 1",
    "linker killed": "echo 'collect2: fatal error: ld terminated with signal 7 [Bus error]' >&2; exit 1",
    "wrapper broken": "exit 127",
}


@pytest.mark.parametrize("body", REJECTIONS.values(), ids=REJECTIONS)
def test_sources_that_the_compiler_rejects_are_compiled_once(machine, capsys, body):
    machine.install_compiler(body=body)
    with pytest.raises(build.BuildError, match=r"does not compile here \(.+\), see .*failed\.log"):
        build.build()
    compilations = machine.compilations()
    with pytest.raises(build.BuildError, match=r"failed\.log"):
        build.build()
    assert machine.compilations() == compilations
    assert info(capsys).startswith("graph: the native engine does not compile here")
    machine.install_compiler()
    with pytest.raises(build.BuildError):  # the same compiler, as far as anybody can tell
        build.build()
    assert command.main(["build", "--again"]) == 0
    assert build.built()


@pytest.mark.parametrize("body", PASSING.values(), ids=PASSING)
def test_a_compiler_that_was_stopped_is_tried_again(machine, capsys, body):
    machine.install_compiler(body=body)
    with pytest.raises(build.BuildError, match=r"was not built: .*; the next process tries again"):
        build.build()
    assert "built on first use" in info(capsys)
    machine.install_compiler()
    assert build.build().exists()
    assert {path.name for path in machine.build_folder().iterdir()} == {cache.LIBRARY, cache.CHECKSUM, cache.LOCK}


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_compiler_that_hangs_is_ended_and_tried_again(machine, monkeypatch):
    machine.install_compiler(body=f"sleep 60 & echo $! >> {machine.folder / 'pids'}; wait")
    monkeypatch.setattr(compiler, "BUILD_SECONDS", 0.3)
    with pytest.raises(build.BuildError, match=r"did not finish in 0\.3 s; the next process tries again"):
        build.build()
    deadline = time.monotonic() + 30  # a process that was killed may take a moment to end
    for pid in (machine.folder / "pids").read_text().split():  # its children as well
        while running(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not running(pid)
    assert not (machine.build_folder() / build.LOG).exists()


def test_the_log_says_what_the_compiler_said(machine):
    machine.install_compiler(body="echo 'something is wrong'; exit 1")
    with pytest.raises(build.BuildError, match="something is wrong"):
        build.build()
    assert "something is wrong" in (machine.build_folder() / build.LOG).read_text()


@pytest.mark.parametrize("script", ["#!/bin/sh\nexit 3\n", "#!/no/such/interpreter\n"])
def test_a_compiler_that_does_not_run_is_named(machine, capsys, script):
    machine.install_compiler()
    (machine.folder / "bin" / "c++").write_text(script)
    with pytest.raises(build.BuildError, match=r"bin/c\+\+ --version` fails"):
        build.build()
    assert info(capsys).startswith("graph: the native engine needs a C++ compiler")


def test_clear_forgets_a_failed_build_and_nothing_else(machine, capsys):
    machine.install_compiler(body="exit 1")
    with pytest.raises(build.BuildError):
        build.build()
    (machine.cache / "native-notes").mkdir()
    assert command.main(["clear"]) == 0
    assert capsys.readouterr().out == "builds deleted: 1\n"
    assert [path.name for path in machine.cache.iterdir()] == ["native-notes"]


# ---- What users see -------------------------------------------------------------------------------------------------


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


def test_a_library_that_does_not_load_is_no_error_and_said(machine, capsys):
    machine.install_compiler()
    assert native.library() is None
    assert "does not load" in capsys.readouterr().err
    assert info(capsys).startswith("graph: the native engine does not load")


def test_a_wrong_engine_is_named(monkeypatch):
    monkeypatch.setenv("RNNAPPS_ENGINE", "fast")
    with pytest.raises(UserError, match="RNNAPPS_ENGINE must be one of graph, native, auto, got 'fast'"):
        native.wanted()


def test_info_about_a_wrong_engine_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("RNNAPPS_ENGINE", "fast")
    assert command.main(["info"]) == 2
    assert capsys.readouterr().err.startswith("error: RNNAPPS_ENGINE must be one of")


def test_info_says_what_will_be_in_use(machine, capsys):
    assert info(capsys).startswith("graph: the native engine needs a C++ compiler")
    machine.install_compiler()
    assert "built on first use" in info(capsys)
    assert command.main(["build"]) == 0
    assert capsys.readouterr().out.strip() == str(machine.build_folder() / "librnnapps.so")


def test_info_says_what_is_in_use(real_library, monkeypatch, capsys):
    monkeypatch.delenv("RNNAPPS_ENGINE", raising=False)
    assert info(capsys) == f"native: {real_library}"
    monkeypatch.setenv("RNNAPPS_ENGINE", "graph")
    assert info(capsys) == "graph: set by RNNAPPS_ENGINE"


def test_build_without_a_compiler_says_what_is_missing(machine, capsys):
    assert command.main(["build"]) == 2
    assert capsys.readouterr().err.startswith("error: the native engine needs a C++ compiler")
