"""Mistakes in the options of `train` are told before TensorFlow is loaded, which takes seconds."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        ("{", [], "TF_CONFIG must be"),
        ("", ["--strategy", "multi-worker"], "needs the environment variable TF_CONFIG"),
        ("", ["--embeddings", "vectors.txt", "--start-from", "run"], "--start-from"),
    ],
)
def test_a_mistake_is_told_without_tensorflow(tmp_path, config, options, said):
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('tensorflow' in sys.modules))\n"
        "from rnnapps.apps.sentiment.cli import main; main()"
    )
    process = subprocess.run(
        [sys.executable, "-c", code, "train", "--run-dir", str(tmp_path / "run"), *options],
        env={**os.environ, "TF_CONFIG": config},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 2
    assert said in process.stderr and len(process.stderr.splitlines()) == 1
    assert process.stdout.strip() == "False"
    assert not (tmp_path / "run").exists()
