"""The command line from end to end, on a few invented reviews: the contract, and what only this application does."""

import csv
import json
import random
import signal
from pathlib import Path

import keras
import numpy as np
import pytest

from rnnapps import serving
from rnnapps.apps.sentiment.cli import TASK, main
from rnnapps.apps.sentiment.model import bins_for
from rnnapps.training.checkpoint import Checkpoints
from tests.apps.contract import Contract

GOOD, BAD = ["superb", "lovely", "brilliant", "moving"], ["dull", "awful", "boring", "clumsy"]
SMALL = ["--units", "8", "--embedding-units", "8", "--max-length", "12", "--epochs", "3", "--learning-rate", "0.02"]
SMALL += ["--batch-size", "16", "--dropout", "0.1"]
TRICKY = ["", " ", "🎉", "这部电影很好看", "a\x00b", "<br />", "superb " * 20_000]


def write_reviews(path: Path, count: int = 240, words=(GOOD, BAD), names=("good", "bad")) -> Path:
    choose = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for number in range(count):
            kind = number % len(names)
            filler = [choose.choice(["the", "film", "was", "story", "and"]) for _ in range(choose.randint(1, 8))]
            text = [*filler, choose.choice(words[kind]), *filler]
            writer.writerow([" ".join(text), names[kind]])
    return path


def test_bins_are_for_the_texts_and_shared_by_many_classes():
    assert bins_for([b"a word"] * 1000, classes=2, longest=3) == 18_000
    assert bins_for([b"a word"] * 10**6, classes=2, longest=3) == 2**21
    assert bins_for([b"a word"] * 10**6, classes=1000, longest=3) * 1000 <= 2**23
    assert bins_for([b""], classes=2, longest=1) > 1


class TestSentiment(Contract):
    main, task, small = main, TASK, SMALL
    inputs = ("a superb film", "an awful film", *TRICKY)
    engine = "auto"

    def write(self, folder):
        return ["--dataset", write_reviews(folder / "reviews.csv")]

    def test_train_learns_and_says_so(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())
        assert metrics["test"]["accuracy"] > 0.9
        assert metrics["test"]["counts"] == {"bad": 12, "good": 12}
        assert "train 192, validation 24, test 24; classes bad (96), good (96)" in trained[1]
        assert f"accuracy  {metrics['test']['accuracy']:.2%}" in trained[1]

    def test_evaluate_takes_data_with_fewer_classes_in_another_order(self, trained, tmp_path):
        path = tmp_path / "more.jsonl"
        path.write_text('{"body": "superb", "stars": "good"}\n{"body": "awful", "stars": "bad"}\n')
        columns = ["--text-column", "body", "--label-column", "stars"]
        options = ["--dataset", path, "--split", "all", *columns, "--json"]
        assert json.loads(self.run("evaluate", trained[0], *options).stdout)["accuracy"] == 1

    def test_evaluate_refuses_labels_that_the_model_does_not_know(self, trained, tmp_path):
        path = tmp_path / "other.csv"
        path.write_text("text,label\nsuperb,good\nmeh,so-so\n")
        error = self.refused_after_summary("evaluate", trained[0], "--dataset", path, "--split", "all")
        assert "label 'so-so' is not one of the model's classes (bad, good)" in error

    def refused_after_summary(self, *arguments):
        return self.run(*arguments, code=2).stderr

    def test_predict_reads_arguments_or_lines(self, trained):
        folder, _ = trained
        lines = self.run("predict", folder, "a superb film", "an awful film").stdout.splitlines()
        assert [line.split("\t")[0] for line in lines] == ["good", "bad"]
        options = ["--json", "--batch-size", "2"]
        objects = self.run("predict", folder, *options, input="superb\nawful\n\n").stdout.splitlines()
        answers = [json.loads(line) for line in objects]
        assert [answer["label"] for answer in answers[:2]] == ["good", "bad"]
        assert [answer["text"] for answer in answers] == ["superb", "awful", ""]
        assert all(sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5) for answer in answers)

    def test_one_text_gets_the_answer_that_it_gets_among_others(self, exported):
        alone = json.loads(self.run("predict", exported[0], "--json", "").stdout)
        among = json.loads(self.run("predict", exported[0], "--json", "superb", "").stdout.splitlines()[1])
        assert alone["score"] == pytest.approx(among["score"], abs=1e-5)

    def test_mistakes_in_the_data_are_one_line(self, tmp_path):
        start = ["train", "--run-dir", tmp_path / "run", "--dataset"]
        assert "nowhere.csv" in self.refused(*start, tmp_path / "nowhere.csv")
        data = write_reviews(tmp_path / "reviews.csv", 40)
        assert "'stars'" in self.refused(*start, data, "--label-column", "stars")
        assert "good" in self.refused(*start, write_reviews(tmp_path / "one.csv", 40, (GOOD,), ("good",)))
        empty = tmp_path / "empty.csv"
        empty.write_text("text,label\n")
        assert "empty.csv" in self.refused(*start, empty)
        assert "movie_reviews" in self.refused(*start, "movie_review")
        broken = tmp_path / "broken.csv"
        broken.write_text(data.read_text() + "no label here\n")
        assert "broken.csv:42" in self.refused(*start, broken, "--strict")
        assert not (tmp_path / "run").exists()

    def test_bad_rows_are_named_and_skipped(self, tmp_path):
        data = write_reviews(tmp_path / "reviews.csv", 40)
        data.write_text(data.read_text() + "no label here\n")
        output = self.run("train", "--run-dir", tmp_path / "run", "--dataset", data, *SMALL, "--epochs", "1").stdout
        assert "skipped 1 bad row:" in output
        assert "reviews.csv:42" in output

    def test_every_option_of_the_model_trains_and_is_saved(self, tmp_path):
        words = (GOOD, BAD, ["fair", "average"])
        data = write_reviews(tmp_path / "reviews.csv", 120, words, ("good", "bad", "middling"))
        options = "--cell gru --layers 2 --recurrent-dropout 0.1 --word-dropout 0.1 --l2 1e-5 --truncate 4 --ngrams 2"
        options += " --adversarial 0.02 --averaging 0.9 --schedule plateau --pooling mean --no-bidirectional --epochs 2"
        self.run("train", "--dataset", data, "--run-dir", tmp_path / "run", *SMALL, *options.split())
        answer = json.loads(self.run("predict", tmp_path / "run", "--json", "superb").stdout)
        assert len(answer["probabilities"]) == 3
        loaded = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
        assert loaded.get_config()["truncate"] == 4
        with data.open(newline="") as file:
            assert loaded.ngrams.bins < 2 * sum(len(row["text"]) for row in csv.DictReader(file))

    def test_ctrl_c_keeps_the_run_and_says_how_to_continue(self, data, tmp_path, monkeypatch):
        folder, write = tmp_path / "run", Checkpoints.write

        def write_and_press_ctrl_c(*arguments):
            monkeypatch.setattr(Checkpoints, "write", write)
            write(*arguments)
            signal.raise_signal(signal.SIGINT)

        monkeypatch.setattr(Checkpoints, "write", write_and_press_ctrl_c)
        errors = self.run("train", *data, "--run-dir", folder, *SMALL, code=130).stderr
        assert f"--resume {folder}" in errors.splitlines()[-1]
        assert self.run("predict", folder, "superb").stdout.strip()

    def test_quantize_adds_a_litert_file_and_its_vocabulary_before_the_version_appears(
        self, trained, tmp_path, monkeypatch, unchecked
    ):
        from rnnapps.apps.sentiment import serving as own
        from rnnapps.serving.litert import Interpreter

        folder, _ = trained
        output = tmp_path / "export"
        printed = self.run("export", folder, "--output", output, "--quantize", "dynamic").stdout
        assert "accuracy on 24 examples of the test split" in printed
        extra = output / "1" / "assets.extra"
        words = (extra / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
        assert words[:2] == ["", "[UNK]"] and words[-1] == ""
        ids = np.int32([[words.index(word) if word in words else 1 for word in ("a", "superb", "zebra")]])
        probabilities = Interpreter(extra / "model.tflite")(ids)[0]
        expected = json.loads(self.run("predict", folder, "--json", "a superb zebra").stdout)["probabilities"]
        # Weights of eight bits.
        np.testing.assert_allclose(probabilities, expected, atol=0.02)

        def killed(*_):
            assert not (output / "2").exists()
            raise serving.ExportError("cannot be converted")

        monkeypatch.setattr(own.litert, "convert", killed)
        error = self.refused("export", folder, "--output", output, "--quantize", "dynamic")
        assert "cannot be converted" in error
        assert not (output / "2").exists()
