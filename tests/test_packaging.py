"""The wheel holds the whole project, and its commands load nothing slow before they have to."""

import importlib.metadata
import os
import subprocess
import sys
import sysconfig
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


LOADED_BY_HELP = """
import importlib.metadata, sys
(command,) = importlib.metadata.entry_points(group="console_scripts", name=sys.argv[1])
try:
    command.load()(["--help"])
finally:
    print(*sorted({name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names))
"""
SLOW_TO_IMPORT = {"tensorflow", "keras", "numpy", "sklearn", "matplotlib", "tensorflow_datasets", "soundfile", "grpc"}


@pytest.mark.parametrize(
    "command",
    [
        "rnn-sentiment",
        "rnn-translation",
        "rnn-speech",
        "rnn-forecasting",
        "rnn-transcription",
        "rnn-music",
        "rnn-video",
    ],
)
def test_help_loads_nothing_that_makes_it_slow(installed, command):
    """What `--help` in half a second rests on; a clock would measure the other tests that run meanwhile."""
    output = run(installed / command, "--help")
    assert "evaluate" in output
    loaded = set(run(installed / "python", "-c", LOADED_BY_HELP, command).splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & SLOW_TO_IMPORT


def test_the_version_is_that_of_the_package_and_costs_nothing():
    program = "import sys, rnnapps; assert not {'tensorflow', 'keras'} & set(sys.modules); print(rnnapps.__version__)"
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert printed.stdout.strip() == importlib.metadata.version("rnnapps")
