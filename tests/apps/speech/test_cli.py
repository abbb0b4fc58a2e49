"""The command line from end to end, on words of a language of tones: the contract, and what only this app does."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.speech.cli import TASK, main
from rnnapps.apps.speech.serving import endpoints
from rnnapps.apps.speech.streaming import Stream
from tests.apps.contract import Contract
from tests.audio.recordings import RATE, tone

KINDS = ("high", "low", "rising")
SMALL = ["--units", "12", "--bands", "16", "--convolutions", "4,8", "--sample-rate", str(RATE), "--batch-size", "16"]
SMALL += ["--epochs", "8", "--learning-rate", "0.02", "--dropout", "0", "--mask-seconds", "0.02", "--mask-bands", "1"]


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """A folder per class."""
    folder = tmp_path_factory.mktemp("tones")
    random = np.random.default_rng(0)
    for kind in KINDS:
        (folder / kind).mkdir()
        for number in range(40):
            soundfile.write(folder / kind / f"{number}.wav", tone(kind, random), RATE)
    return folder


@pytest.fixture(scope="module", autouse=True)
def inputs(clips):
    """Recordings of several formats, set as the inputs of the contract."""
    soundfile.write(clips.parent / "other.flac", tone("low", np.random.default_rng(1)), RATE)
    soundfile.write(clips.parent / "law.wav", tone("low", np.random.default_rng(2)), RATE, subtype="ULAW")
    files = [clips / "low" / "1.wav", clips / "rising" / "2.wav"]
    TestSpeech.inputs = list(map(str, [*files, clips.parent / "other.flac", clips.parent / "law.wav"]))
    TestSpeech.clips = clips


class TestSpeech(Contract):
    """With a causal model."""

    main, task, small = main, TASK, ["--causal", *SMALL]
    timed = ("real_time_factor",)
    resumed = None

    def write(self, folder):
        return ["--dataset", self.clips]

    def test_train_learns_and_says_so(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())
        assert metrics["test"]["accuracy"] > 0.8
        assert np.sum(metrics["test"]["confusion"]) == metrics["test"]["count"] == 12
        assert metrics["test"]["real_time_factor"] > 0
        assert "train 96 (" in trained[1] and "classes high (" in trained[1]
        assert f"accuracy          {metrics['test']['accuracy']:.2%}" in trained[1]

    def test_predict_answers_files_and_folders_and_skips_what_is_none(self, trained, tmp_path):
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
        result = self.run("predict", trained[0], tmp_path, "--json", "--top", 3)
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

    def test_a_path_may_be_a_number_and_a_bad_row_stops_nothing(self, trained, tmp_path):
        soundfile.write(tmp_path / "1.wav", tone("low", np.random.default_rng(5)), RATE)
        rows = "".join(json.dumps({"path": path}) + "\n" for path in (7, "1.wav", [1]))
        (tmp_path / "rows.jsonl").write_text(rows)
        result = self.run("predict", trained[0], "--input", tmp_path / "rows.jsonl", "--output", tmp_path / "a.jsonl")
        assert "1 answer, 2 rows rejected" in result.stdout
        assert json.loads((tmp_path / "a.jsonl").read_text())["predicted_label"] == "low"

    def test_predict_strict_stops_and_all_bad_is_an_error(self, trained, tmp_path):
        (tmp_path / "empty.wav").write_bytes(b"")
        result = self.run("predict", trained[0], tmp_path / "empty.wav", self.inputs[0], "--strict", code=2)
        assert result.stdout == ""
        assert result.stderr == f"error: {tmp_path}/empty.wav: the file is empty\n"
        error = self.run("predict", trained[0], tmp_path, code=2).stderr
        assert "none of the 1 inputs could be answered" in error

    def test_stream_follows_a_recording_and_draws_it(self, trained, tmp_path):
        random = np.random.default_rng(7)
        pause = np.zeros(RATE // 2, "float32")
        clip = np.concatenate([tone("low", random), pause, tone("high", random), pause])
        soundfile.write(tmp_path / "both.wav", clip, RATE)
        lines = self.run("stream", trained[0], tmp_path / "both.wav", "--plot", tmp_path / "p.png").stdout
        assert lines.count(" s  ") == -(-len(clip) // (RATE // 10))
        assert "low" in lines and "high" in lines
        assert (tmp_path / "p.png").stat().st_size > 10_000

    def test_an_export_does_not_stream_from_the_command_line(self, exported):
        assert "config.json" in self.refused("stream", exported[0], self.inputs[0])

    def test_the_export_checks_real_and_made_up_recordings(self, exported):
        folder, output = exported
        assert "16 rows, largest difference" in output  # 12 clips of the test split, 4 made-up sounds
        assert {"stream", "stream_start", "waveform"} < set(serving.metadata(folder)["signatures"])

    def test_the_stream_signature_answers_chunks_as_the_whole(self, exported):
        folder, _ = exported
        clip = tone("rising", np.random.default_rng(2))[None]
        whole = serving.load(folder, "waveform")(waveform=tf.constant(clip))
        for chunk in (57, 160, 5000):
            stream = Stream(folder)
            for begin in range(0, clip.shape[1], chunk):
                answer = stream(clip[:, begin : begin + chunk])
            # Sums over another number of steps at a time.
            np.testing.assert_allclose(answer["probabilities"], whole["probabilities"], atol=1e-4)
            assert answer["label"].numpy() == whole["label"].numpy()

    @pytest.mark.parametrize("bad", [np.nan, np.inf, 3e9])
    def test_samples_that_are_no_sound_are_refused(self, exported, bad):
        clip = tone("rising", np.random.default_rng(2))[None]
        clip[0, 100] = bad
        message = "some samples are NaN or infinite, or larger than 1,000,000,000"
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"waveform: {message}"):
            serving.load(exported[0], "waveform")(waveform=tf.constant(clip))
        with pytest.raises(tf.errors.InvalidArgumentError, match=f"chunk: {message}"):
            Stream(exported[0])(clip)

    def test_a_request_starts_a_bounded_number_of_streams(self, exported):
        start = serving.load(exported[0], "stream_start")
        assert start(batch=tf.constant(1024))["samples"].shape[0] == 1024
        for count in (1025, 2_000_000_000, -1):
            with pytest.raises(tf.errors.InvalidArgumentError, match=r"from 0 to\] \[1024\] \[streams a request"):
                start(batch=tf.constant(count))

    def test_quantize_adds_a_litert_file(self, trained, tmp_path, unchecked):
        options = ["--output", tmp_path / "small", "--quantize", "dynamic"]
        printed = self.run("export", trained[0], *options).stdout
        measured = json.loads(self.run("evaluate", trained[0], "--json").stdout)["accuracy"]
        assert f"accuracy on 12 examples of the test split: {measured:.2%} before" in printed
        assert (tmp_path / "small" / "1" / "assets.extra" / "model.tflite").stat().st_size > 1000

    def test_a_bidirectional_run_does_not_stream_and_knows_its_data_from_anywhere(self, tmp_path, monkeypatch):
        monkeypatch.chdir(self.clips.parent)
        folder = self.clips.parent / "runs" / "speech"  # where a run goes by default
        self.run("train", "--dataset", self.clips.name, *SMALL, "--epochs", 1, "--pooling", "max")
        monkeypatch.chdir(tmp_path)
        self.run("evaluate", folder)
        assert "cannot stream" in self.run("stream", folder, self.inputs[0], code=2).stderr
        model = keras.models.load_model(folder / "model.keras", compile=False)
        assert list(endpoints(model)) == ["serving_default", "waveform"]

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["--convolutions", "a"], "'a' is not"),
            (["--causal", "--pooling", "max"], "--causal needs --pooling attention"),
            (["--dataset", "./nowhere"], "no such file or folder"),
            (["--split-by", "x"], "--split-by is for recordings of your own"),
            (["--hop-seconds", "0.05"], "--hop-seconds must be at least one sample"),
            (["--sample-rate", "8000", "--window-seconds", "0.0001"], "--hop-seconds"),
            (["--gain", "nan"], "nan"),
        ],
    )
    def test_a_mistake_is_one_line(self, tmp_path, arguments, complaint):
        assert complaint in self.refused("train", "--run-dir", tmp_path / "run", *arguments)
        assert not (tmp_path / "run").exists()
