"""The wheel holds the whole project, and its commands start quickly."""

import os
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMPORT_ALL = """
import importlib, pkgutil, sys
import rnnapps
assert rnnapps.__file__.startswith(sys.prefix), rnnapps.__file__
names = [module.name for module in pkgutil.walk_packages(rnnapps.__path__, "rnnapps.")]
for name in names:
    try:
        if not name.endswith("__main__"):
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        assert error.name == "apache_beam", error  # an extra
print(*names)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A virtual environment with our wheel in it; the dependencies are those that the tests run with."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("rnnapps", "apps", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, source)
    (wheel,) = folder.glob("rnnapps-*.whl")
    environment = folder / "venv"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel)
    # A path file does not process the path files of the folder it names, so no editable install of ours comes along.
    site = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(site, "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return environment / "bin"


def run(*command):
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": ""}
    process = subprocess.run(
        [str(part) for part in command], env=environment, cwd="/", capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout


def test_every_module_of_the_wheel_imports(installed):
    names = run(installed / "python", "-c", IMPORT_ALL).split()
    here = {
        ".".join(["rnnapps", *prefix, *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__")
        for folder, prefix in ((ROOT / "rnnapps", []), (ROOT / "apps", ["apps"]))
        for path in folder.rglob("*.py")
    }
    assert set(names) == here - {"rnnapps"}


def test_help_answers_in_under_half_a_second(installed):
    def seconds():
        start = time.perf_counter()
        assert "evaluate" in run(installed / "rnn-sentiment", "--help")
        return time.perf_counter() - start

    assert min(seconds() for _ in range(5)) < 0.5
