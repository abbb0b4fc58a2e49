"""The command line from end to end, on words of a language of tones."""

import json
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pandas
import pytest
import soundfile
import tensorflow as tf
from click.testing import CliRunner

from rnnapps import serving
from rnnapps.apps.speech.cli import main
from rnnapps.apps.speech.serving import Stream, endpoints
from tests.audio.recordings import RATE, tone
from tests.printed_answers import assert_same_answers

KINDS = ("high", "low", "rising")
SMALL = ["--units", "12", "--bands", "16", "--convolutions", "4,8", "--sample-rate", str(RATE), "--batch-size", "16"]
SMALL += ["--epochs", "8", "--learning-rate", "0.02", "--dropout", "0", "--mask-seconds", "0.02", "--mask-bands", "1"]


def run(*arguments, code=0, **kwargs):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], **kwargs)
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    for kind in KINDS:
        (folder / kind).mkdir()
        for number in range(40):
            soundfile.write(folder / kind / f"{number}.wav", tone(kind, random), RATE)
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """The run folder of a causal model, and what train said."""
    folder = tmp_path_factory.mktemp("runs") / "causal"
    return folder, run("train", "--dataset", data, "--run-dir", folder, "--causal", *SMALL).stdout


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    """An export of it, and what export said."""
    folder = tmp_path_factory.mktemp("export") / "speech"
    return folder, run("export", trained[0], "--output", folder).stdout


def test_train_leaves_the_run_folder_and_learns(trained):
    folder, output = trained
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.8
    assert np.sum(metrics["test"]["confusion"]) == metrics["test"]["count"] == 12
    assert "train 96 (" in output and "classes high, low, rising" in output
    assert f"accuracy          {metrics['test']['accuracy']:.2%}" in output
    assert {path.name for path in (folder / "report").iterdir()} >= {"curves.png", "confusion_matrix.png"}


def test_evaluate_repeats_the_figures_of_train(trained):
    figures = json.loads(run("evaluate", trained[0], "--json").stdout)
    expected = json.loads((trained[0] / "metrics.json").read_text())["test"]
    assert figures["confusion"] == expected["confusion"]
    assert figures["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    assert 0 < figures["real_time_factor"] < 5


def test_evaluate_draws_only_where_it_is_told_to(trained, tmp_path):
    picture = trained[0] / "report" / "confusion_matrix.png"
    before = picture.stat().st_mtime_ns
    run("evaluate", trained[0], "--split", "validation", "--plot", tmp_path / "matrix.png")
    assert (tmp_path / "matrix.png").stat().st_size > 1000
    assert picture.stat().st_mtime_ns == before


def test_predict_answers_files_and_folders_and_skips_what_is_none(trained, data, tmp_path):
    random = np.random.default_rng(5)
    clip = tone("low", random, 44100)
    kinds = {"a": "PCM_U8", "b": "PCM_24", "c": "FLOAT", "d": "PCM_16"}
    for name, subtype in kinds.items():
        samples = np.stack([clip, clip], axis=1) if name == "b" else clip
        soundfile.write(tmp_path / f"{name}.wav", samples, 44100, subtype=subtype)
    soundfile.write(tmp_path / "e.flac", clip, 44100)
    soundfile.write(tmp_path / "long.wav", np.tile(tone("low", random), 1200), RATE)  # some eight minutes
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "text.wav").write_text("no sound at all")
    soundfile.write(tmp_path / "one.wav", np.array([0.1]), RATE)
    result = run("predict", trained[0], tmp_path, "--json", "--top", 3)
    found = {Path(line["path"]).name: line for line in map(json.loads, result.stdout.splitlines())}
    assert set(found) == {"a.wav", "b.wav", "c.wav", "d.wav", "e.flac", "long.wav"}
    for name in found.keys() - {"long.wav"}:
        assert found[name]["label"] == "low"
        assert sum(found[name]["top"].values()) == pytest.approx(1, abs=1e-4)
    *complaints, count = result.stderr.strip().splitlines()
    assert count == "6 answered, 3 skipped"
    complaints.sort()
    assert len(complaints) == 3
    assert "empty.wav: the file is empty" in complaints[0]
    assert "one.wav: too short: 1 of at least 80 samples" in complaints[1]
    assert "text.wav: not a recording" in complaints[2]


def test_predict_strict_stops_and_all_bad_is_an_error(trained, data, tmp_path):
    (tmp_path / "empty.wav").write_bytes(b"")
    good = data / "low" / "0.wav"
    result = run("predict", trained[0], tmp_path / "empty.wav", good, "--strict", code=2)
    assert result.stdout == ""
    assert result.stderr == f"error: {tmp_path}/empty.wav: the file is empty\n"
    assert "no recording could be read (1 tried)" in run("predict", trained[0], tmp_path, code=2).stderr


def test_predict_stream_follows_a_recording_and_draws_it(trained, tmp_path):
    random = np.random.default_rng(7)
    pause = np.zeros(RATE // 2, "float32")
    clip = np.concatenate([tone("low", random), pause, tone("high", random), pause])
    soundfile.write(tmp_path / "both.wav", clip, RATE)
    lines = run("predict", trained[0], "--stream", tmp_path / "both.wav", "--plot", tmp_path / "p.png").stdout
    assert lines.count(" s  ") == -(-len(clip) // (RATE // 10))
    assert "low" in lines and "high" in lines
    assert (tmp_path / "p.png").stat().st_size > 10_000


def test_an_export_does_not_stream_from_the_command_line(exported, tmp_path):
    error = run("predict", exported[0], "--stream", tmp_path / "a.wav", code=2).stderr
    assert "--stream follows a recording with a run folder" in error and error.count("\n") == 1


def test_an_export_decodes_wav_and_answers_as_the_run(trained, exported, data):
    folder, output = exported
    assert "16 rows, largest difference" in output  # 12 clips of the test split, 4 made-up sounds
    assert {"stream", "stream_start", "waveform"} < set(serving.metadata(folder)["signatures"])
    files = [data / "low" / "1.wav", data / "rising" / "2.wav"]
    ours = run("predict", trained[0], *files).stdout
    assert_same_answers(run("predict", folder, *files).stdout, ours)
    soundfile.write(data.parent / "other.flac", tone("low", np.random.default_rng(1)), RATE)
    refusal = run("predict", folder, data.parent / "other.flac", code=2).stderr
    assert "the export cannot read it: not a WAV file" in refusal


def test_the_stream_signature_answers_chunks_as_the_whole(exported):
    folder, _ = exported
    clip = tone("rising", np.random.default_rng(2))[None]
    whole = serving.load(folder, "waveform")(waveform=tf.constant(clip))
    for chunk in (57, 160, 5000):
        stream = Stream(folder)
        for begin in range(0, clip.shape[1], chunk):
            answer = stream(clip[:, begin : begin + chunk])
        np.testing.assert_allclose(answer["probabilities"], whole["probabilities"], atol=1e-4)
        assert answer["label"].numpy() == whole["label"].numpy()


def test_a_request_starts_a_bounded_number_of_streams(exported):
    start = serving.load(exported[0], "stream_start")
    assert start(batch=tf.constant(1024))["samples"].shape[0] == 1024
    for count in (1025, 2_000_000_000, -1):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"from 0 to\] \[1024\] \[streams a request"):
            start(batch=tf.constant(count))


def test_quantize_adds_a_litert_file(trained, tmp_path):
    said = run("export", trained[0], "--output", tmp_path / "small", "--quantize", "dynamic").stdout
    assert "accuracy on 12 examples of the test split" in said
    assert (tmp_path / "small" / "1" / "assets.extra" / "model.tflite").stat().st_size > 1000


def test_a_bidirectional_run_does_not_stream_and_knows_its_data_from_anywhere(data, tmp_path, monkeypatch):
    monkeypatch.chdir(data.parent)
    folder = data.parent / "runs" / "speech"  # where a run goes that is told nothing else
    run("train", "--dataset", data.name, *SMALL, "--epochs", 1, "--pooling", "max")
    monkeypatch.chdir(tmp_path)
    run("evaluate", folder)
    assert "cannot stream" in run("predict", folder, "--stream", data / "low" / "0.wav", code=2).stderr
    model = keras.models.load_model(folder / "model.keras", compile=False)
    assert list(endpoints(model)) == ["serving_default", "waveform"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--convolutions", "a"], "'a' is not a list of widths"),
        (["--causal", "--pooling", "max"], "--causal streams with --pooling attention"),
        (["--dataset", "./nowhere"], "no such file or folder"),
        (["--split-by", "x"], "--split-by is for recordings of your own"),
        (["--hop-seconds", "0.05"], "--hop-seconds 0.05"),
        (["--sample-rate", "8000", "--window-seconds", "0.0001"], "--hop-seconds"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, arguments, complaint):
    result = run("train", "--run-dir", tmp_path / "run", *arguments, code=2)
    assert complaint in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_export_goes_without_the_data_of_the_run(trained, tmp_path):
    moved = tmp_path / "run"
    moved.mkdir()
    options = json.loads((trained[0] / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**options, "dataset": str(tmp_path / "gone")}))
    (moved / "model.keras").write_bytes((trained[0] / "model.keras").read_bytes())
    result = run("export", moved, "--output", tmp_path / "export")
    assert (
        f"the check goes without the run's own recordings: no such file or folder: '{tmp_path}/gone'" in result.stderr
    )
    assert (tmp_path / "export" / "1" / "saved_model.pb").exists()


def test_a_killed_run_resumes_to_the_history_of_an_uninterrupted_one(data, tmp_path):
    def train(*arguments):
        command = [sys.executable, "-c", "from rnnapps.apps.speech.cli import main; main()", "train", *arguments]
        return subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def finish(process):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors

    options = ["--dataset", data, *SMALL, "--epochs", 3, "--checkpoint-every", 2, "--dropout", 0.1]
    whole = train("--run-dir", tmp_path / "whole", *options)
    killed = train("--run-dir", tmp_path / "killed", *options)
    deadline = time.monotonic() + 120
    # Six steps an epoch: the kill comes in the second epoch or at its end.
    while not list(tmp_path.glob("killed/checkpoints/epoch-00001-step-00000002*")):
        assert killed.poll() is None and time.monotonic() < deadline, "the run did not get to its second epoch"
        time.sleep(0.005)
    killed.kill()
    killed.communicate()
    finish(whole)
    finish(train("--resume", tmp_path / "killed"))
    histories = [
        pandas.read_csv(tmp_path / name / "history.csv").drop(columns="seconds") for name in ("whole", "killed")
    ]
    assert len(histories[0]) == 3
    pandas.testing.assert_frame_equal(*histories, rtol=1e-5)


def test_help_needs_no_tensorflow():
    code = "import sys, rnnapps.apps.speech.cli; sys.exit('tensorflow' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    for verb in ("train", "evaluate", "predict", "export"):
        assert "--" in run(verb, "--help").stdout
