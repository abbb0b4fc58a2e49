"""The recipe for LibriSpeech starts: on four utterances in the folders of LibriSpeech, with a small network."""

import json
from pathlib import Path

import numpy as np
import soundfile

from rnnapps.apps.transcription.cli import main
from tests.apps.contract import invoke

RECIPE = Path(__file__).parents[3] / "apps" / "transcription" / "librispeech.toml"


def test_the_recipe_for_librispeech_starts(tmp_path):
    random = np.random.default_rng(0)
    speakers = (("train-clean-100", 19), ("train-clean-100", 26), ("dev-clean", 84), ("test-clean", 61))
    for split, speaker in speakers:
        chapter = tmp_path / "LibriSpeech" / split / str(speaker) / "1"
        chapter.mkdir(parents=True)
        soundfile.write(chapter / f"{speaker}-1-0000.flac", 0.1 * random.standard_normal(16_000), 16_000)
        (chapter / f"{speaker}-1.trans.txt").write_text(f"{speaker}-1-0000 A SEED\n")
    run = tmp_path / "run"
    small = ["--units", "8", "--layers", "1", "--convolutions", "4,4", "--epochs", "1"]
    data = ["--dataset", tmp_path / "LibriSpeech"]
    invoke(main, "train", "--config", RECIPE, *data, "--run-dir", run, *small)
    config = json.loads((run / "config.json").read_text())
    assert config["training"]["precision"] == "mixed_bfloat16" and config["model"]["bands"] == 80
    rows = (run / "history.csv").read_text().splitlines()
    assert len(rows) == 2 and "nan" not in rows[1]
    figures = json.loads(invoke(main, "evaluate", run, "--json").stdout)
    assert figures["count"] == 1 and figures["words"] == 2
