"""Every benchmark is imported and runs its smallest case. What it measures is not looked at."""

import contextlib
import csv
import importlib.util
import io
import json
import random
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from rnnapps import serving
from tests.apps.sentiment.test_cli import write_reviews
from tests.audio.recordings import RATE, tone
from tests.serving.models import REQUESTS, make, save

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("*.py"))
# Need what the tests do not have: PyTorch and Multi30K; neuralforecast, which has an environment of its own.
ON_OTHERS_DATA = {"translation", "forecasting_peer"}


@pytest.fixture
def run(monkeypatch):
    """Runs a benchmark as `python benchmarks/NAME.py`, but it and its contenders in this process; what it prints."""

    def run(name: str, *arguments: object) -> str:
        with monkeypatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
            patch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
            runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        return printed.getvalue()

    def contender(script: str, *arguments: str) -> dict:
        return json.loads(run(Path(script).stem, *arguments).splitlines()[-1])

    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr("measuring.in_a_process", contender)
    # An export would be checked in another process; this process has its threads already, and keeps its cores.
    monkeypatch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))
    for pool in ("inter", "intra"):
        monkeypatch.setattr(f"tensorflow.config.threading.set_{pool}_op_parallelism_threads", lambda threads: None)
    monkeypatch.setattr("os.sched_setaffinity", lambda process, processors: None, raising=False)
    return run


def in_a_process(name: str, *arguments: object) -> str:
    command = [sys.executable, str(FOLDER / f"{name}.py"), *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return process.stdout


def rows(table: str) -> list[list[str]]:
    """The cells of a Markdown table below its head."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line][1:]


def test_every_benchmark_has_its_smallest_case_here():
    cases = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert set(SCRIPTS) - {"cpp_loader", "digit_recordings", "measuring"} - cases == ON_OTHERS_DATA


@pytest.mark.parametrize("name", SCRIPTS)
def test_it_is_imported_without_work(name, monkeypatch):
    if name == "streaming_audio":
        pytest.skip("sets TensorFlow's logging on import; its own test runs it in a process")
    monkeypatch.syspath_prepend(FOLDER)
    specification = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    assert module.__doc__


def test_layers(run):
    output = run("layers", "--cell", "LSTM", "--row", "2,3,4,5", "--rounds", 1, "--seconds", 0.001, "--no-torch")
    assert "LSTM, training" in output and "LSTM, inference" in output
    assert output.count("2,3,4,5") == 2


def test_tuning(run, tmp_path):
    data = ["--dataset", write_reviews(tmp_path / "all.csv"), "--share", 2, "--folder", tmp_path]
    small = ["--units", 4, "--embedding-units", 4, "--max-length", 8, "--epochs", 1]
    output = run("tuning", *data, "--trials", 1, "--", *small)
    assert [row[0] for row in rows(output)] == ["default", "best"]


def test_workers(run):
    output = run("workers", "--workers", 1, "--units", 2, "--batch-size", 4, "--steps", 2, "--rounds", 1)
    assert [row[:2] for row in rows(output)] == [["2", "1"]]


def test_gradient_flow(run, tmp_path):
    output = run(
        "gradient_flow", "--picture", tmp_path / "flow.png", "--steps", 5, "--updates", 2, "--units", 8, "--test", 8
    )
    assert "SimpleRNN" in output and "LSTM" in output
    assert (tmp_path / "flow.png").stat().st_size > 10_000


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory():
    options = ["--steps", 65, "--only", "ours", "--mode", "plain", "--batch-size", 1, "--units", 8]
    ((steps, contender, mode, mebibytes, seconds),) = rows(in_a_process("memory", *options))
    assert (steps, contender, mode) == ("65", "ours", "plain")
    assert float(mebibytes) >= 0 and float(seconds) >= 0  # in hundredths of a second


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    path, choose = tmp_path_factory.mktemp("reviews") / "reviews.csv", random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(60):
            label = choose.choice(["negative", "positive"])
            writer.writerow([f"film {number} was {'lovely' if label == 'positive' else 'awful'}", label])
    return path


@pytest.mark.parametrize("contender", ["ours", "keras", "linear"])
def test_contenders_of_sentiment(run, reviews, contender):
    figures = run("sentiment", "--contender", contender, "--dataset", reviews).splitlines()[-1]
    assert '"accuracy"' in figures and '"seconds"' in figures


def test_sentiment(run, reviews):
    ((name, accuracy, _, _),) = rows(run("sentiment", "--only", "linear", "--dataset", reviews))
    assert name.startswith("scikit-learn") and accuracy.endswith("%")


def test_forecasting(run, tmp_path):
    (tmp_path / "small.toml").write_text(
        "horizon = 4\nseason = 4\nwindows = 1\nunits = 4\nhidden = 4\nwindows_per_epoch = 32\n"
    )
    rising = ",".join(str(number + number % 4) for number in range(1, 41))
    (tmp_path / "rows.csv").write_text(",".join(["id", *(f"V{n}" for n in range(40))]) + f"\na,{rising}\n")
    options = ["--config", tmp_path / "small.toml", "--dataset", tmp_path / "rows.csv", "--epochs", 1]
    table = rows(run("forecasting", *options))
    assert [row[0] for row in table] == ["this model", "seasonal naive", "AutoETS", "AutoTheta"]


def test_music(run, tmp_path):
    steps = [[[60, 64, 67], [59, 62, 67]] * 4]
    (tmp_path / "chorales.json").write_text(json.dumps({"train": steps * 3, "valid": steps, "test": steps}))
    table = rows(run("music", tmp_path / "chorales.json", "--epochs", 1, "--heads", "nade"))
    assert [row[0] for row in table] == ["this model, nade", "RNN-NADE of Boulanger-Lewandowski et al. (2012)"]


@pytest.mark.slow
def test_spoken_digits(run, tmp_path):
    source = np.random.default_rng(0)
    for digit, kind in enumerate(("low", "high", "rising")):
        (tmp_path / str(digit)).mkdir()
        for number in range(3, 11):
            soundfile.write(tmp_path / str(digit) / f"{digit}_ann_{number}.wav", tone(kind, source), RATE)
    tiny = ["--units", 8, "--convolutions", 4, "--epochs", 1]
    ((name, seed, *_),) = rows(run("spoken_digits", tmp_path, "--seeds", 3, *tiny))
    assert (name, seed) == ("recordings 0-4", "3")


@pytest.mark.slow
def test_transcription(run, tmp_path):
    source = np.random.default_rng(0)
    for digit, kind in enumerate(("low", "high", "rising")):
        (tmp_path / str(digit)).mkdir()
        for number in range(3, 12):
            soundfile.write(tmp_path / str(digit) / f"{digit}_ann_{number}.wav", tone(kind, source), RATE)
    tiny = ["--strings", 12, "--units", 8, "--convolutions", "4,4", "--epochs", 1, "--batch-size", 4]
    twin = ["--torch"] if importlib.util.find_spec("torch") else []
    output = run("transcription", tmp_path, *twin, "--cell", "lstm", *tiny)
    names = ["rnn-transcription", "PyTorch"]
    assert [row[1] for row in rows(output)] == names[: 1 + len(twin)]
    assert "mean WER" in output


@pytest.mark.slow
def test_streaming_audio(run):
    ((chunk, *_),) = rows(run("streaming_audio", "--units", 8, "--chunk-ms", 20, "--seconds", 0.1))
    assert chunk == "20 ms"


def test_serving(run, tmp_path):
    save(tmp_path / "export", make(), REQUESTS, batch_sizes=[1])
    output = run("serving", "--export", tmp_path / "export", "--cores", 1, "--rounds", 1)
    assert "batch 64, rows/s" in output


def test_serving_of_a_translation(run, tmp_path):
    from rnnapps import training
    from rnnapps.apps.translation.model import Translator
    from rnnapps.text import Subwords, train_subwords

    model = Translator(Subwords(train_subwords(["one two three"], 512)).to_text(), units=2, embedding_units=2)
    model.build()
    model.save(training.RunFolder(tmp_path).model_file)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "sentences.txt").write_text("one\n" * 64)
    options = ["--translation", tmp_path, "--sentences", tmp_path / "sentences.txt", "--cores", 1, "--rounds", 1]
    output = run("serving", *options)
    assert "| | rnnapps | keras.layers | times as good |" in output
    assert len(rows(output)) == 8


def test_language(run, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat.\n" * 100)
    (tmp_path / "small.toml").write_text("units = 8\nembedding_units = 4\ntied = false\n")
    options = ["--config", tmp_path / "small.toml", "--epochs", 1]
    output = run("language", "train", "--dataset", text, "--no-torch", *options)
    assert len(rows(output)) == 1
    output = run("language", "serve", "--units", 8, "--layers", 1, "--characters", 5, "--rounds", 1)
    assert len(rows(output)) == 5
