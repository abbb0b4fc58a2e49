"""A job that stopped: what it says, what it leaves, and what happens to a position that is not what was left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rnnapps.errors import Stopped, UserError
from tests.prediction.test_files import lengths, predict, table

ROWS = 20


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("id,text\n" + "".join(f"{number},{'x' * number}\n" for number in range(ROWS)))
    return path


def interrupted_after(batches, raised=KeyboardInterrupt):
    def answer(rows):
        nonlocal batches
        batches -= 1
        if batches < 0:
            raise raised
        return lengths(rows)

    return answer


@pytest.fixture
def stopped(source, tmp_path):
    """A job that was interrupted after two batches of three rows; its output."""
    with pytest.raises(Stopped):
        predict(source, tmp_path / "out.csv", interrupted_after(2))
    return tmp_path / "out.csv"


def test_ctrl_c_says_how_to_continue_and_the_same_command_does(source, tmp_path, capsys):
    output = tmp_path / "out.csv"
    with pytest.raises(Stopped) as stop:
        predict(source, output, interrupted_after(2))
    assert str(stop.value) == f"interrupted: run the same command to continue after line 7 of {source}"
    predict(source, output)
    assert f"continuing after line 7 of {source}\n" in capsys.readouterr().err
    assert output.read_bytes() == predict(source, tmp_path / "whole.csv").read_bytes()


def test_ctrl_c_before_the_first_answer_leaves_nothing(source, tmp_path):
    with pytest.raises(Stopped, match=r"^interrupted: nothing was written$"):
        predict(source, tmp_path / "out.csv", interrupted_after(0))
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


CHILD = """
import os, signal, sys, time
import click
from rnnapps.cli.app import App
from tests.prediction.test_files import lengths, predict

def answer(rows, seen=[]):
    seen.append(rows)
    if len(seen) == 3:
        os.kill(os.getpid(), getattr(signal, sys.argv[3]))
        time.sleep(60)  # until the signal arrives
    return lengths(rows)

group = App("app")
group.command("predict", cls=click.Command)(lambda: predict(sys.argv[1], sys.argv[2], answer) and None)
group.main(["predict"])
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_ends_the_command_with_one_line_and_130(source, tmp_path, name):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", CHILD, str(source), str(tmp_path / "out.csv"), name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == f"interrupted: run the same command to continue after line 7 of {source}\n"


def test_sigterm_has_its_handler_again_after_the_job(source, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    predict(source, tmp_path / "out.csv", lambda rows: lengths(rows))
    assert signal.getsignal(signal.SIGTERM) is before


NUMBERS = (-1, 0, 3, 10**12, 1.5, "7", None, True, [], {}, float("nan"))
SHAPES = {
    **{f"all {value!r}": value for value in (None, 3, "a", True, [], {}, [1, 2], [[]])},
    **{f"job {value!r}": {"job": value} for value in (None, 3, "a", [], {}, {"input": 1})},
    **{f"done {value!r}": {"done": value} for value in (None, 3, "a", {}, [], [1], [[0, 1]], [[0], 1, 2, 3, 4])},
    **{f"offset {value!r}": {"done": [[value, 7], 30, 0, 6, 0]} for value in NUMBERS},
    **{f"line {value!r}": {"done": [[30, value], 30, 0, 6, 0]} for value in NUMBERS},
    **{f"output {value!r}": {"done": [[30, 7], value, 0, 6, 0]} for value in NUMBERS},
    **{f"rejects {value!r}": {"done": [[30, 7], 30, value, 6, 0]} for value in NUMBERS},
    **{f"counts {value!r}": {"done": [[30, 7], 30, 0, value, value]} for value in NUMBERS},
    **{f"digest {value!r}": {"digest": value} for value in (None, 3, "", "0" * 64, [], {})},
}  # fmt: skip
BYTES = [b"", b"{", b"null", b"\xff\xfe", b"\x00" * 100, b"[" * 100_000, b"[" * 2**21, b'{"job": {}', b"1" * 10_000]


def check_damaged(source, output):
    position = Path(f"{output}.position")
    with pytest.raises(UserError) as caught:
        predict(source, output)
    assert str(caught.value) == f"{position}: damaged; delete it, or start from the beginning with --overwrite"
    whole = predict(source, output.with_name("whole.csv")).read_bytes()
    assert predict(source, output, overwrite=True).read_bytes() == whole
    assert not position.exists()


@pytest.mark.parametrize("change", SHAPES.values(), ids=SHAPES.keys())
def test_a_position_of_another_shape_is_one_line(source, stopped, change):
    position = Path(f"{stopped}.position")
    saved = json.loads(position.read_text())
    position.write_text(json.dumps(saved | change if isinstance(change, dict) and change else change))
    check_damaged(source, stopped)


@pytest.mark.parametrize("content", BYTES, ids=lambda content: repr(content[:10]))
def test_a_position_that_is_not_json_is_one_line(source, stopped, content):
    Path(f"{stopped}.position").write_bytes(content)
    check_damaged(source, stopped)


def test_a_position_that_is_a_folder_is_one_line(source, stopped):
    position = Path(f"{stopped}.position")
    position.unlink()
    position.mkdir()
    with pytest.raises(UserError, match=r"out\.csv\.position cannot be written: Is a directory$"):
        predict(source, stopped)


def test_a_partial_output_that_is_gone_is_written_again(source, stopped):
    Path(f"{stopped}.partial").unlink()
    predict(source, stopped)
    assert len(table(stopped)) == 1 + ROWS


def test_another_column_or_output_is_a_different_job(source, stopped):
    for options, what in (({"column": "id"}, "columns"), ({"outputs": ["label"]}, "outputs")):
        with pytest.raises(UserError, match=rf"belongs to a different job \(different {what}\)"):
            predict(source, stopped, **options)
