"""The command line from end to end, on a language of tones: the contract, and what only this application does."""

import csv
import io
import itertools
import json

import jiwer
import numpy as np
import pytest
import soundfile
import tensorflow as tf
from click.testing import CliRunner

from rnnapps import serving
from rnnapps.apps.language.cli import main as language_main
from rnnapps.apps.language.scoring import log_probabilities
from rnnapps.apps.transcription.cli import TASK, Search, main
from rnnapps.apps.transcription.requests import check
from rnnapps.apps.transcription.streaming import _of_input
from rnnapps.audio import read_audio
from rnnapps.cli.other_runs import read_run_of
from rnnapps.errors import UserError
from tests.apps.contract import Contract, invoke
from tests.apps.transcription.melodies import RATE, melody, words, write_set

SMALL = ["--causal", "--sample-rate", str(RATE), "--bands", "16", "--convolutions", "8,8", "--units", "32"]
SMALL += ["--layers", "1", "--batch-size", "6", "--epochs", "8", "--learning-rate", "0.02", "--dropout", "0"]
SMALL += ["--hop-seconds", "0.02", "--window-seconds", "0.04", "--mask-seconds", "0", "--mask-bands", "0"]
SMALL += ["--speed", "0", "--warp", "0", "--channel", "0", "--noise", "-40", "--shift-seconds", "0.02"]
SMALL += ["--averaging", "0", "--tokens", "characters"]


class TestTranscription(Contract):
    """With a causal model."""

    main, task, small = main, TASK, SMALL
    pictures = ("curves.png", "errors.png", "worst.png")
    timed = ("real_time_factor",)
    resumed = None

    def write(self, folder):
        random = np.random.default_rng(7)
        soundfile.write(folder / "other.flac", melody("ab cde", random), RATE)
        soundfile.write(folder / "law.wav", melody("ace", random), RATE, subtype="ULAW")
        soundfile.write(folder / "silence.wav", np.zeros(RATE // 2), RATE)
        manifest = write_set(folder)
        names = ("3.wav", "4.wav", "other.flac", "law.wav", "silence.wav")
        type(self).inputs = tuple(str(folder / name) for name in names)
        return ["--dataset", manifest]

    def test_train_learns_and_says_so(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())["test"]
        assert metrics["wer"] < 0.3 and metrics["cer"] < 0.15
        assert metrics["count"] == 15 and metrics["words"] >= 15 and len(metrics["worst"]) == 15
        assert f"word error rate       {metrics['wer']:.2%}" in trained[1] and "10 speakers" in trained[1]
        assert metrics["worst"][0]["wer"] == max(one["wer"] for one in metrics["worst"])

    def test_words_have_times_in_their_order_and_confidences(self, trained, data):
        row = next(csv.DictReader(data[1].open()))
        (line,) = self.run("predict", trained[0], data[1].parent / row["path"], "--json").stdout.splitlines()
        found = json.loads(line)
        assert found["text"] == row["text"] == " ".join(word["word"] for word in found["words"])
        edges = [time for word in found["words"] for time in (word["start"], word["end"])]
        assert edges == sorted(edges) and edges[-1] <= soundfile.info(found["path"]).duration + 0.05
        assert all(0 < word["confidence"] <= 1 for word in found["words"])

    def test_long_recordings_are_cut_at_pauses_and_written_as_subtitles(self, trained, tmp_path):
        random = np.random.default_rng(3)
        said = [words(random) for _ in range(16)]
        pieces = [np.concatenate([melody(text, random), np.zeros(RATE, "float32")]) for text in said]
        soundfile.write(tmp_path / "long.wav", np.concatenate(pieces), RATE)
        seconds = len(np.concatenate(pieces)) / RATE
        lines = self.run("predict", trained[0], tmp_path / "long.wav", "--json").stdout.splitlines()
        found = [json.loads(line) for line in lines]
        assert len(found) > 1 and (found[0]["start"], found[-1]["end"]) == (0, pytest.approx(seconds, abs=1e-3))
        assert all(one["end"] == other["start"] for one, other in itertools.pairwise(found))
        assert jiwer.wer(" ".join(said), " ".join(line["text"] for line in found)) < 0.3
        for line in found:
            assert all(line["start"] <= word["start"] < word["end"] <= line["end"] + 0.05 for word in line["words"])
        subtitles = self.run("predict", trained[0], tmp_path / "long.wav", "--format", "srt").stdout
        blocks = subtitles.strip().split("\n\n")
        assert [block.splitlines()[0] for block in blocks] == [str(number + 1) for number in range(len(blocks))]
        assert len(blocks) > len(found) and " --> 00:00:" in blocks[0].splitlines()[1]
        assert " ".join(" ".join(block.splitlines()[2:]) for block in blocks) == " ".join(one["text"] for one in found)

    def test_predict_takes_manifests_and_folders_draws_and_skips_what_is_none(self, trained, data, tmp_path):
        (tmp_path / "broken.wav").write_text("no sound")
        rows = [
            f"{self.inputs[0]},0.1,0.5",
            f"{self.inputs[0]},soon,",
            f"{self.inputs[0]},0.5,0.1",
            f"{self.inputs[1]},,",
            ",,",
        ]
        (tmp_path / "list.csv").write_text("\n".join(["path,start,end", *rows]))
        picture = tmp_path / "heard.png"
        result = self.run("predict", trained[0], tmp_path / "list.csv", tmp_path, "--json", "--plot", picture)
        found = [json.loads(line) for line in result.stdout.splitlines()]
        assert [line["path"] for line in found] == list(self.inputs[:2])
        assert (found[0]["start"], found[0]["end"]) == (0.1, 0.5)
        assert "broken.wav: not a WAV file" in result.stderr or "broken.wav: not a recording" in result.stderr
        for problem in (
            "list.csv:3: 'start' must be a number of seconds, got 'soon'",
            "list.csv:4: 'end' must be after 'start', got 0.5 to 0.1",
            "list.csv:6: empty 'path'",
            "2 answered, 4 skipped",
        ):
            assert problem in result.stderr
        assert picture.stat().st_size > 10_000

    def test_several_texts_are_ranked(self, trained):
        (line,) = self.run("predict", trained[0], self.inputs[0], "--nbest", 3, "--json").stdout.splitlines()
        found = json.loads(line)
        scores = [one["score"] for one in found["nbest"]]
        assert (
            len(scores) == 3 and scores == sorted(scores, reverse=True) and found["text"] == found["nbest"][0]["text"]
        )
        assert "--beam" in self.refused("predict", trained[0], self.inputs[0], "--nbest", 9)
        assert "--language-model" in self.refused("predict", trained[0], self.inputs[0], "--alpha", 2)

    def test_a_table_of_files_gets_columns(self, trained, tmp_path):
        (tmp_path / "in.csv").write_text(f"path,start,end\n{self.inputs[0]},,\n{self.inputs[0]},0.1,0.4\n")
        self.run("predict", trained[0], "--input", tmp_path / "in.csv", "--output", tmp_path / "out.csv")
        rows = list(csv.DictReader((tmp_path / "out.csv").open()))
        assert len(rows) == 2 and rows[0]["predicted_text"] and rows[0]["predicted_text"] != rows[1]["predicted_text"]
        objects = [{"path": str(self.inputs[0])}, {"path": str(self.inputs[0]), "start": 0.1, "end": 0.4}]
        objects.append({"path": str(self.inputs[0]), "start": None})
        (tmp_path / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in objects))
        self.run("predict", trained[0], "--input", tmp_path / "in.jsonl", "--output", tmp_path / "out.jsonl")
        texts = [json.loads(line)["predicted_text"] for line in (tmp_path / "out.jsonl").open()]
        assert texts == [row["predicted_text"] for row in (*rows, rows[0])]
        typo = ["--input", tmp_path / "in.csv", "--output", tmp_path / "no.csv", "--start-column", "begn"]
        assert "there is no column 'begn' for --start-column" in self.refused("predict", trained[0], *typo)

    def test_listening_in_chunks_ends_with_the_text_of_the_whole(self, trained, exported, tmp_path):
        samples = read_audio(self.inputs[2], RATE)
        (whole,) = self.run("predict", trained[0], self.inputs[2], "--beam", 1, "--json").stdout.splitlines()
        whole = json.loads(whole)["text"]
        lines = self.run("listen", trained[0], self.inputs[2], "--json").stdout.splitlines()
        assert len(lines) > 1 and json.loads(lines[-1])["text"] == whole
        sent = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        result = CliRunner().invoke(main, ["listen", str(trained[0]), "--every", "0.1"], input=io.BytesIO(sent))
        assert result.exit_code == 0 and result.stdout.splitlines()[-1].endswith(whole)
        stream, start = (serving.load(exported[0], name) for name in ("stream", "stream_start"))
        for size in (57, 320, 5000):
            states = start(batch=tf.constant(1))
            for begin in range(0, len(samples), size):
                states = stream(chunk=tf.constant(samples[None, begin : begin + size]), **states)
            assert states["text"].numpy()[0].decode().strip() == whole

    def test_a_request_starts_a_bounded_number_of_streams(self, exported):
        start = serving.load(exported[0], "stream_start")
        assert start(batch=tf.constant(3))["samples"].shape[0] == 3
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"from 0 to\] \[1024\] \[streams a request"):
            start(batch=tf.constant(1025))

    def test_rows_that_ctc_cannot_spell_are_named_counted_and_skipped(self, data, tmp_path):
        rows = list(csv.reader(data[1].open()))[1:31]
        rows = [[str(data[1].parent / row[0]), *row[1:]] for row in rows]
        rows[4][1], rows[9][1] = "abc " * 40, "xyz"
        splits = [*["train"] * 8, *["validation"] * 3, "test", *["train"] * 18]
        with (tmp_path / "list.csv").open("w") as file:
            table = [[*row[:2], split] for row, split in zip(rows, splits, strict=True)]
            csv.writer(file).writerows([["path", "text", "split"], *table])
        options = ["train", "--dataset", tmp_path / "list.csv", "--run-dir", tmp_path / "run", *SMALL, "--epochs", "1"]
        printed = self.run(*options).stdout
        assert "skipped 1 bad recording of the train split:" in printed
        assert f"{rows[4][0]}: the text is longer than the audio allows" in printed
        assert f"{rows[9][0]}: character 'x' is not in any training text" in printed
        history = (tmp_path / "run" / "history.csv").read_text()
        assert "nan" not in history
        error = self.refused(*options[:-2], "--epochs", "1", "--overwrite", "--strict")
        assert "longer than the audio allows" in error or "in no training text" in error

    def test_a_language_model_run_is_fused(self, trained, tmp_path):
        lines = "\n".join(words(np.random.default_rng(number)) for number in range(200)) + "\n"
        (tmp_path / "texts.txt").write_text(lines)
        language = tmp_path / "language"
        small = ["--units", "8", "--embedding-units", "4", "--epochs", "1", "--batch-size", "2"]
        invoke(language_main, "train", "--dataset", tmp_path / "texts.txt", "--run-dir", language, *small)
        fused = ["--language-model", language, "--alpha", "0.3", "--beta", "0.2"]
        plain, with_it = (
            json.loads(self.run("predict", trained[0], self.inputs[0], "--json", *more).stdout) for more in ([], fused)
        )
        assert with_it["score"] != plain["score"]
        assert "'transcription'" in self.refused("predict", trained[0], "x.wav", "--language-model", trained[0])

    @pytest.mark.parametrize(
        ("arguments", "complaint"),
        [
            (["--dataset", "./nowhere"], "no such file or folder"),
            (["--reduction", "3"], "--reduction must be"),
            (["--reduction", "8"], "at most 4 with 2 --convolutions"),
            (["--hop-seconds", "0.05"], "--hop-seconds must be at least one sample"),
            (["--join", "2", "--layers", "1"], "use at least --layers 2"),
        ],
    )
    def test_a_mistake_is_one_line(self, tmp_path, arguments, complaint):
        assert complaint in self.refused("train", "--run-dir", tmp_path / "run", *arguments)
        assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_run_of_subwords_answers_listens_takes_a_language_model_of_words_and_exports(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))
    data = write_set(tmp_path, words=lambda random: " ".join(random.choice(["ab", "cde", "ba", "ed"], 3)))
    run, file = tmp_path / "run", tmp_path / "1.wav"
    more = ["--tokens", "subwords", "--layers", "2", "--epochs", "15", "--learning-rate", "0.005", "--patience", "15"]
    invoke(main, "train", "--dataset", data, "--run-dir", run, *SMALL, *more)
    assert json.loads((run / "metrics.json").read_text())["test"]["wer"] < 0.3
    (line,) = invoke(main, "predict", run, file, "--json", "--nbest", "8").stdout.splitlines()
    found = json.loads(line)
    assert found["text"] == " ".join(word["word"] for word in found["words"]) and len(found["text"].split()) == 3
    edges = [time for word in found["words"] for time in (word["start"], word["end"])]
    assert edges == sorted(edges) and edges[-1] <= soundfile.info(file).duration + 0.05
    texts = [one["text"] for one in found["nbest"]]
    assert len(set(texts)) == len(texts)
    (tmp_path / "texts.txt").write_text("ab cde ba\n" * 200)
    small = ["--units", "8", "--embedding-units", "4", "--epochs", "1", "--batch-size", "2", "--level", "word"]
    small += ["--normalised"]
    invoke(language_main, "train", "--dataset", tmp_path / "texts.txt", "--run-dir", tmp_path / "language", *small)
    fused = ["--language-model", tmp_path / "language", "--alpha", "1", "--beta", "0.5", "--nbest", "2"]
    judged = json.loads(invoke(main, "predict", run, file, *fused, "--json").stdout)["nbest"]
    language = read_run_of("language", tmp_path / "language")
    for one in judged:
        (before,) = (other["score"] for other in found["nbest"] if other["text"] == one["text"])
        _, nats = log_probabilities(language, tf.constant([one["text"] + "\n"]))
        assert one["score"] == pytest.approx(before + nats.numpy().sum() + 0.5 * len(one["text"]), abs=1e-2)
    invoke(main, "export", run, "--output", tmp_path / "export", *fused)
    answer = json.loads(invoke(main, "predict", tmp_path / "export", file, "--json").stdout)
    assert answer["text"] == judged[0]["text"]
    assert answer["score"] == pytest.approx(judged[0]["score"], abs=1e-2)
    greedy = json.loads(invoke(main, "predict", run, file, "--json", "--beam", "1").stdout)["text"]
    assert json.loads(invoke(main, "listen", run, file, "--json").stdout.splitlines()[-1])["text"] == greedy


def test_a_bidirectional_run_does_not_listen(tmp_path):
    data = write_set(tmp_path, 40)
    run = tmp_path / "run"
    options = [option for option in SMALL if option != "--causal"]
    invoke(main, "train", "--dataset", data, "--run-dir", run, *options, "--epochs", "1")
    error = invoke(main, "listen", run, tmp_path / "1.wav", code=2).stderr
    assert "cannot stream; train a run with --causal" in error


def test_a_wav_file_on_standard_input_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"RIFF" + bytes(9000))))
    with pytest.raises(UserError, match="standard input is a WAV file"):
        list(_of_input(None, 8000, every=0.04))


def test_offsets_of_a_table_of_input_are_refused(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"audio_filepath": "a.wav", "offset": 0, "duration": 1}\n')
    with pytest.raises(UserError, match=r"a\.jsonl: has offsets and durations, as of NeMo; give it as an argument"):
        check(Search(), "run", tmp_path / "a.jsonl")
    (tmp_path / "b.csv").write_text("path,start,end\na.wav,0,1\n")
    check(Search(), "run", tmp_path / "b.csv")


@pytest.mark.parametrize("size", [8000, 7990, 320, 0])
def test_the_end_of_resampled_input_is_heard_too(monkeypatch, size):
    sent = (np.sin(np.arange(size) / 9) * 9000).astype("<i2").tobytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sent)))
    assert sum(map(len, _of_input(8000, 16_000, every=0.04))) == 2 * size
