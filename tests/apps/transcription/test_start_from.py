"""`--start-from`: a run that goes on from another model, and a model that a data set's name stands for."""

import json
import shutil
from dataclasses import replace

import pytest

from rnnapps.apps.transcription.cli import TASK, main
from rnnapps.cli import starting
from rnnapps.cli.run_config import read_config
from rnnapps.errors import UserError
from rnnapps.training import open_run
from tests.apps.contract import invoke
from tests.apps.transcription.melodies import write_set
from tests.apps.transcription.test_contract import SMALL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    invoke(main, "train", "--dataset", write_set(folder), "--run-dir", folder / "run", *SMALL)
    return folder / "run"


def test_few_recordings_suffice_and_the_tokens_stay(trained, tmp_path):
    few = write_set(tmp_path, 30, seed=1, words=lambda random: "".join(random.choice(["ab", "ba", "abba"])))
    options = ["train", "--dataset", few, *SMALL, "--epochs", "1", "--start-from", trained]
    assert "1e-3 with --start-from" in invoke(main, "train", "--help").stdout
    printed = invoke(main, *options, "--learning-rate", "0.001", "--run-dir", tmp_path / "run").stdout
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["test"]["wer"] < 0.3, printed
    error = invoke(main, *options, "--units", "16", "--run-dir", tmp_path / "other", code=2).stderr
    assert f"--start-from {trained}: units is 16, but 32 in the model to start from" in error
    error = invoke(main, *options[:-1], tmp_path / "none", "--run-dir", tmp_path / "other", code=2).stderr
    assert "no such run folder" in error and not (tmp_path / "other").exists()


def test_the_model_of_a_data_set_is_trained_once_and_continued_if_interrupted(trained, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RNNAPPS_CACHE", str(tmp_path))
    config = read_config(trained, TASK)
    config = replace(config, training=replace(config.training, epochs=2))
    new = replace(config, training=replace(config.training, start_from="tones"))
    recipes = {"tones": lambda asked: config}
    first = starting.model_to_start_from(TASK, new, recipes)
    (kept,) = (tmp_path / "pretrained").iterdir()
    assert f"it is kept in {kept}" in capsys.readouterr().out
    again = starting.model_to_start_from(TASK, new, recipes)
    assert f"in {kept}" in capsys.readouterr().out and first.tokens.pieces == again.tokens.pieces
    metrics = open_run(kept).read_metrics()
    (kept / "metrics.json").unlink()  # as if it had been killed before its end
    shutil.rmtree(kept / "report")
    starting.model_to_start_from(TASK, new, recipes)
    assert open_run(kept).read_metrics()["test"]["wer"] == pytest.approx(metrics["test"]["wer"])
    gone = replace(config, training=replace(config.training, start_from=str(tmp_path / "none")))
    with pytest.raises(UserError, match="none"):
        starting.model_to_start_from(TASK, gone, recipes)
