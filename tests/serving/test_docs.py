"""Every command of docs/serving.md works, on a small run in place of `make demo`'s and a double in place of Docker."""

import csv
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from rnnapps.apps.sentiment.cli import main
from tests.apps.contract import invoke
from tests.printed_answers import assert_same_answers
from tests.serving.model_server import serve

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
ELSEWHERE = ("make demo", "source .venv", "pip install", "(cd exports/sentiment && docker compose")


def commands():
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def bash(command, folder):
    """What a command prints; the application's own command runs in this process, for speed."""
    if command.startswith("rnn-sentiment "):
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            return invoke(main, *shlex.split(command)[1:]).stdout
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    choose = random.Random(0)
    with (folder / "reviews.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for _ in range(120):
            label = choose.choice(["negative", "positive"])
            rows.writerow([f"film {choose.random()} was {'lovely' if label == 'positive' else 'gone'}", label])
    size = "--units 8 --embedding-units 8 --epochs 1 --batch-size 16"
    bash(f"rnn-sentiment train --dataset reviews.csv --run-dir runs/sentiment {size}", folder)
    return folder


def test_every_command_of_the_page_works(folder):
    first, *others = [command for command in commands() if not command.startswith(ELSEWHERE)]
    assert len(others) == 6
    assert "checks passed" in bash(first, folder)
    with serve({"sentiment": folder / "exports" / "sentiment"}) as addresses:
        rest, grpc = (address.partition("://")[2] for address in (addresses.rest, addresses.grpc))
        of_readme = re.search("^curl .*$", (folder / "exports/sentiment/1/README.md").read_text(), re.MULTILINE)[0]
        asked = [line.replace("localhost:8501", rest).replace("localhost:8500", grpc) for line in (*others, of_readme)]
        printed = [bash(line, folder) for line in asked]
    check, status, answer, over_rest, over_grpc, quantized, of_readme = printed
    assert "FAILED" not in check
    assert "AVAILABLE" in status
    assert '"label"' in answer and '"score"' in answer
    assert '"label"' in of_readme
    assert_same_answers(over_rest, over_grpc)
    assert "A lovely, moving film." in over_rest
    assert "as LiteRT" in quantized
    assert (folder / "exports/sentiment/2/assets.extra/model.tflite").exists()
