"""Which cache folders and libraries are used: damaged, interrupted, unsafe, unwritable ones, and several processes."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from rnnapps.native import __main__ as command
from rnnapps.native import build, cache

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
not_as_root = pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")


def info(capsys):
    assert command.main(["info"]) == 0
    return capsys.readouterr().out.splitlines()[-1].removeprefix("engine").strip()


# ---- Damage ---------------------------------------------------------------------------------------------------------


def replace_by_folder(path):
    path.unlink()
    path.mkdir()
    (path / "file").write_text("")


def replace_by_link(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def replace_by_pipe(path):
    path.unlink()
    os.mkfifo(path)


DAMAGE = {
    "library truncated": ("librnnapps.so", lambda path: os.truncate(path, 5)),
    "library empty": ("librnnapps.so", lambda path: os.truncate(path, 0)),
    "library of the same size": ("librnnapps.so", lambda path: path.write_text("pretendeD\n")),
    "library longer": ("librnnapps.so", lambda path: path.write_text("pretended\n\0")),
    "library missing": ("librnnapps.so", Path.unlink),
    "library a folder": ("librnnapps.so", replace_by_folder),
    "library a link": ("librnnapps.so", replace_by_link),
    "library a pipe": ("librnnapps.so", replace_by_pipe),
    "library writable by others": ("librnnapps.so", lambda path: path.chmod(0o666)),
    "library writable by the group": ("librnnapps.so", lambda path: path.chmod(0o664)),
    "checksum missing": ("librnnapps.so.checksum", Path.unlink),
    "checksum empty": ("librnnapps.so.checksum", lambda path: os.truncate(path, 0)),
    "checksum of bytes": ("librnnapps.so.checksum", lambda path: path.write_bytes(b"\xff\0" * 1000)),
    "checksum a folder": ("librnnapps.so.checksum", replace_by_folder),
    "checksum writable by others": ("librnnapps.so.checksum", lambda path: path.chmod(0o666)),
    "files of a killed build": ("objects-killed", lambda path: (path.mkdir(), (path / "lstm.o").write_text(""))),
}


@pytest.mark.parametrize("name, damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_build_is_built_again_once(machine, capsys, name, damage):
    machine.install_compiler()
    library = build.build()
    once = machine.compilations()
    damage(library.parent / name)
    if name == "objects-killed":
        (library.parent / cache.LIBRARY).unlink()
    assert build.built() is None
    assert "built on first use" in info(capsys)
    assert build.build() == library
    assert library.read_text() == "pretended\n"
    assert machine.compilations() == 2 * once
    assert build.build() == build.built() == library
    assert machine.compilations() == 2 * once
    assert {path.name for path in library.parent.iterdir()} == {cache.LIBRARY, cache.CHECKSUM, cache.LOCK}


def test_info_names_the_damage(machine, capsys):
    machine.install_compiler()
    os.truncate(build.build(), 5)
    assert "librnnapps.so is damaged: it does not match its checksum" in info(capsys)


@as_root
def test_a_library_of_another_user_is_not_loaded(machine):
    machine.install_compiler()
    os.chown(build.build(), 12345, 12345)
    assert build.built() is None
    assert build.build().stat().st_uid == 0


def test_a_truncated_library_kills_no_process(machine, real_library):
    machine.install_compiler(output=f'cp {real_library} "$last"')
    library = build.build()
    size = library.stat().st_size
    os.truncate(library, size // 2)
    code = "from rnnapps import native; print(hasattr(native.library(), 'rnnapps_forward'))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout) == (0, "True\n")
    assert library.stat().st_size == size


# ---- Where the cache is ---------------------------------------------------------------------------------------------

PLACES = {
    "our own variable": ({"RNNAPPS_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
    "our own variable, relative": ({"RNNAPPS_CACHE": "a"}, "{cwd}/a"),
    "XDG": ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/rnnapps"),
    "XDG, relative, which the specification ignores": ({"XDG_CACHE_HOME": "b", "HOME": "/c"}, "/c/.cache/rnnapps"),
    "empty variables": ({"RNNAPPS_CACHE": "", "XDG_CACHE_HOME": "", "HOME": "/c"}, "/c/.cache/rnnapps"),
    "HOME empty": ({"HOME": ""}, "/home/of/user/.cache/rnnapps"),
    "HOME unset": ({}, "/home/of/user/.cache/rnnapps"),
}


@pytest.mark.parametrize("variables, place", PLACES.values(), ids=PLACES)
def test_the_cache_folder_follows_the_environment(monkeypatch, variables, place):
    for name in ("RNNAPPS_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: namedtuple("User", "pw_dir")("/home/of/user"))
    assert str(cache.cache_folder()) == place.format(cwd=os.getcwd())


def test_a_linked_cache_folder_is_used(machine):
    machine.install_compiler()
    (machine.folder / "elsewhere").mkdir(mode=0o700)
    machine.cache.symlink_to(machine.folder / "elsewhere")
    library = build.build()
    assert library.resolve().is_relative_to(machine.folder / "elsewhere")
    assert build.built() == library


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_nobody_else_may_write_what_a_build_leaves(machine, umask):
    machine.install_compiler()
    before = os.umask(umask)
    try:
        build.build()
    finally:
        os.umask(before)
    assert build.built()
    for path in [machine.cache, *machine.cache.rglob("*")]:
        assert path.stat().st_mode & 0o022 == 0, path


# ---- A cache that cannot serve --------------------------------------------------------------------------------------


def no_home(machine, monkeypatch):
    def unknown(uid):
        raise KeyError(uid)

    monkeypatch.delenv("RNNAPPS_CACHE")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


def file_in_its_place(machine, monkeypatch):
    machine.cache.write_text("")


def file_above(machine, monkeypatch):
    (machine.folder / "file").write_text("")
    monkeypatch.setenv("RNNAPPS_CACHE", str(machine.folder / "file" / "cache"))


def file_in_place_of_the_build(machine, monkeypatch):
    machine.cache.mkdir()
    machine.build_folder().write_text("")


def no_real_disk(machine, monkeypatch):
    monkeypatch.setenv("RNNAPPS_CACHE", "/proc/rnnapps")


def read_only(machine, monkeypatch):
    machine.cache.mkdir(mode=0o555)


def circle_of_links(machine, monkeypatch):
    machine.cache.symlink_to(machine.folder / "other")
    (machine.folder / "other").symlink_to(machine.cache)


def link_to_nothing(machine, monkeypatch):
    machine.cache.symlink_to(machine.folder / "missing" / "folder")


def full(machine, monkeypatch):
    usage = shutil.disk_usage

    def disk_usage(path):
        return (
            usage(path)._replace(free=1 << 20)
            if Path(path).is_relative_to(machine.cache.parent / "cache")
            else usage(path)
        )

    machine.cache.mkdir()
    monkeypatch.setattr("shutil.disk_usage", disk_usage)


def writable_by_all(machine, monkeypatch):
    machine.cache.mkdir()
    machine.cache.chmod(0o777)


def writable_by_the_group(machine, monkeypatch):
    machine.cache.mkdir()
    machine.cache.chmod(0o775)


def build_writable_by_all(machine, monkeypatch):
    build.build()
    machine.build_folder().chmod(0o777)


def above_writable_by_all(machine, monkeypatch):
    (machine.folder / "open").mkdir()
    (machine.folder / "open").chmod(0o777)
    monkeypatch.setenv("RNNAPPS_CACHE", str(machine.folder / "open" / "a" / "b"))


def link_in_an_open_folder(machine, monkeypatch):
    (machine.folder / "open").mkdir()
    (machine.folder / "open" / "link").symlink_to(machine.folder)
    (machine.folder / "open").chmod(0o777)
    monkeypatch.setenv("RNNAPPS_CACHE", str(machine.folder / "open" / "link" / "cache"))


def of_another_user(machine, monkeypatch):
    build.build()
    os.chown(machine.cache, 12345, 12345)


def build_of_another_user(machine, monkeypatch):
    build.build()
    os.chown(machine.build_folder(), 12345, 12345)


USELESS = [
    (no_home, "the home folder is unknown"),
    (file_in_its_place, "is not a folder"),
    (file_above, "Not a directory|is not a folder"),
    (file_in_place_of_the_build, "is not a folder"),
    (no_real_disk, "cannot be written"),
    pytest.param(read_only, "cannot be written", marks=not_as_root),
    (circle_of_links, "cannot be"),
    (link_to_nothing, "cannot be written"),
    (full, "1 MB are free, 64 MB are needed"),
    (writable_by_all, "is writable by other users; run `chmod go-w "),
    (writable_by_the_group, "is writable by other users"),
    (build_writable_by_all, "is writable by other users"),
    (above_writable_by_all, "is writable by other users"),
    (link_in_an_open_folder, "is writable by other users"),
    pytest.param(of_another_user, "belongs to user 12345", marks=as_root),
    pytest.param(build_of_another_user, "belongs to user 12345", marks=as_root),
]


@pytest.mark.parametrize("spoil, reason", USELESS)
def test_a_cache_that_cannot_serve_is_replaced_by_a_private_folder(machine, monkeypatch, capsys, spoil, reason):
    machine.install_compiler()
    spoil(machine, monkeypatch)
    before = machine.compilations()
    capsys.readouterr()
    if spoil not in (no_real_disk, link_to_nothing):  # known only to who tries to write
        line = info(capsys)
        assert line.startswith("native, built in a temporary folder by every process: ")
        assert re.search(reason, line)
        pytest.raises(build.BuildError, match=reason)
    lines = []
    library = build.build(announce=lines.append)
    assert library.is_relative_to(machine.folder / "temporary")
    assert library.parent.parent.stat().st_mode & 0o777 == 0o700
    assert re.search(reason, lines[0])
    assert "in a temporary folder, for this process only" in lines[0]
    after = machine.compilations()
    assert after > before
    assert build.build() == library
    assert machine.compilations() == after


def test_a_private_folder_is_deleted_at_exit_of_the_process_that_made_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    code = (
        "from rnnapps.native import cache; import os, sys; folder = cache.private_folder(); os.fork() or sys.exit(); "
        "os.wait(); print(folder, folder.exists())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout.startswith(str(tmp_path / "rnnapps-")), run.stderr
    assert run.stdout.endswith(" True\n")
    assert list(tmp_path.iterdir()) == []


def test_no_place_at_all_is_one_line(machine, monkeypatch):
    machine.install_compiler()
    file_in_its_place(machine, monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(machine.folder / "missing"))
    with pytest.raises(build.BuildError, match=r"there is no folder for temporary files: .*; set TMPDIR"):
        build.build()
    assert machine.compilations() == 0


def test_a_built_cache_that_is_read_only_is_used(machine, monkeypatch):
    machine.install_compiler()
    library = build.build()
    machine.build_folder().chmod(0o555)
    monkeypatch.setattr(cache, "prepare", None)  # whatever writes fails
    assert build.build() == build.built() == library


def test_a_folder_that_all_may_write_to_but_not_delete_from_is_fine(machine):
    machine.install_compiler()
    machine.cache.mkdir()
    machine.cache.chmod(0o1777)
    assert build.build() == build.built() == machine.build_folder() / "librnnapps.so"


# ---- Several processes ----------------------------------------------------------------------------------------------


def hold_lock(folder, ready):
    with cache.locked(folder, 10, lambda: None):
        ready.set()
        time.sleep(60)


def test_the_lock_of_a_killed_process_is_free(machine, capsys):
    machine.install_compiler()
    cache.prepare(machine.build_folder())
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    holder = context.Process(target=hold_lock, args=(machine.build_folder(), ready))
    holder.start()
    assert ready.wait(30)
    assert info(capsys) == f"native, being built by another process in {machine.build_folder()}"
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(30)
    assert "built on first use" in info(capsys)
    assert build.build().exists()


def test_a_build_that_never_ends_is_not_waited_for_for_ever(machine, monkeypatch):
    machine.install_compiler()
    cache.prepare(machine.build_folder())
    monkeypatch.setattr("rnnapps.native.compiler.BUILD_SECONDS", 0.2)
    with (
        cache.locked(machine.build_folder(), 1, lambda: None),
        pytest.raises(build.BuildError, match=r"another process has been building the native engine for 0\.2 s"),
    ):
        build.build()


def test_a_cache_cleared_while_waiting_is_no_error(machine):
    machine.install_compiler()
    cache.prepare(machine.build_folder())
    lines = []

    def announce(line):
        lines.append(line)
        if "waiting" in line:
            lock.__exit__(None, None, None)
            build.clear()
            cache.prepare(machine.build_folder())

    lock = cache.locked(machine.build_folder(), 1, lambda: None)
    lock.__enter__()
    assert build.build(announce=announce).exists()
    assert "waiting" in lines[0]
