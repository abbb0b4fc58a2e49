"""The command line from end to end, on an invented text: the contract, and what only this application does."""

import csv
import gzip
import json
import random
from pathlib import Path

import pytest

from rnnapps.apps.language.cli import TASK, main
from tests.apps.contract import Contract

SMALL = ["--units", "32", "--embedding-units", "16", "--epochs", "6", "--learning-rate", "0.02", "--batch-size", "4"]
SMALL += ["--sequence-length", "16", "--dropout", "0.1"]
NOUNS, VERBS = ["cat", "dog", "actor", "plot"], ["sees", "likes", "hates", "knows"]


def write_text(path: Path, sentences: int) -> Path:
    choose = random.Random(str(path.name))
    lines = (f"the {choose.choice(NOUNS)} {choose.choice(VERBS)} the {choose.choice(NOUNS)}." for _ in range(sentences))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class TestLanguage(Contract):
    main, task, small = main, TASK, SMALL
    inputs = ("the cat ", "", "🎉", "这部电影", "the dog\n")
    pictures = ("curves.png", "samples.txt", "surprise.png")
    resumed = ("--weight-drop", "0.2", "--word-dropout", "0.1", "--random-length", "--layers", "2")

    def write(self, folder):
        for name, sentences in (("train", 300), ("validation", 40), ("test", 40)):
            write_text(folder / f"{name}.txt", sentences)
        return ["--dataset", folder]

    def answers(self, *where):
        lines = self.run("predict", *where, "--json", "--length", 20, "--", *self.inputs).stdout.split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def test_the_model_learns_the_words(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())["test"]
        assert metrics["bits_per_character"] < 1.5  # of letters drawn by their frequency, 4
        assert metrics["characters"] == metrics["tokens"] > 500  # an end of the document for the first character

    def test_predict_writes_on_and_repeats_a_seed(self, trained):
        folder, _ = trained
        first, again = (self.run("predict", folder, "the ", "--length", 30, "--seed", 5).stdout for _ in range(2))
        assert first == again and first.startswith("the ")
        assert first != self.run("predict", folder, "the ", "--length", 30, "--seed", 6).stdout
        best = self.run("predict", folder, "the ", "--length", 30, "--temperature", 0).stdout
        assert best == self.run("predict", folder, "the ", "--length", 30, "--top-k", 1).stdout
        assert best == self.run("predict", folder, "the ", "--length", 30, "--top-p", 1e-6).stdout
        stopped = self.run("predict", folder, "the ", "--length", 200, "--stop", ".", "--json").stdout
        assert "." not in json.loads(stopped)["text"]
        several = self.run("predict", folder, "the ", "--length", 9, "--samples", 3, "--json").stdout
        assert len(json.loads(several)["text"]) == 3 and len(set(json.loads(several)["text"])) > 1

    def test_complete_finds_the_words_of_the_text(self, trained):
        answer = json.loads(self.run("complete", trained[0], "the cat sees the d", "--json").stdout)
        assert answer["completions"][0]["word"] == "dog" and answer["completions"][0]["probability"] > 0.5
        answer = json.loads(self.run("complete", trained[0], "the cat ", "--json", "--count", 4).stdout)
        assert {one["word"] for one in answer["completions"]} == set(VERBS)
        assert sum(one["probability"] for one in answer["completions"]) == pytest.approx(1, abs=0.2)
        assert "--interactive" in self.refused("complete", trained[0], "--interactive")

    def test_score_tells_likely_from_unlikely_text(self, trained, tmp_path):
        likely, unlikely = (
            json.loads(self.run("score", trained[0], text, "--json").stdout)
            for text in ("the cat sees", "tca het sees")
        )
        assert likely["bits"] < unlikely["bits"]
        assert likely["bits"] == pytest.approx(sum(token["bits"] for token in likely["tokens"]), abs=1e-3)
        file = write_text(tmp_path / "some.txt", 3)
        output = self.run("score", trained[0], file, "--plot", tmp_path / "text.png").stdout
        assert "bits per character" in output and (tmp_path / "text.png").stat().st_size > 1000
        assert ".png" in self.refused("score", trained[0], "x", "--plot", "text.pdf")
        assert "no tokens" in self.refused("score", trained[0], "")
        assert "there is no file 'nofile.txt'" in self.run("score", trained[0], "nofile.txt").stderr

    def test_evaluate_reads_another_text_to_test_on_and_stays_with_the_data_of_the_run(self, trained, data, tmp_path):
        here = ["evaluate", trained[0], "--json"]
        other = write_text(tmp_path / "other.txt", 7)
        assert json.loads(self.run(*here, "--test", other).stdout)["characters"] == len(other.read_text())
        assert "other.txt: test" in self.run("evaluate", trained[0], "--test", other).stdout
        validation = json.loads(self.run(*here, "--split", "validation").stdout)
        assert validation == json.loads(self.run(*here, "--test", data[1] / "validation.txt").stdout)

    def test_texts_go_into_a_table_with_a_header(self, trained, tmp_path):
        options = ["the cat", "the dog", "--length", 5, "--samples", 2]
        self.run("predict", trained[0], *options, "--output", tmp_path / "texts.csv")
        with open(tmp_path / "texts.csv", newline="") as file:
            found = list(csv.DictReader(file))
        answers = [json.loads(line) for line in self.run("predict", trained[0], *options, "--json").stdout.splitlines()]
        assert [row["prompt"] for row in found] == ["the cat", "the dog"]
        assert [json.loads(row["predicted_text"]) for row in found] == [answer["text"] for answer in answers]

    def test_evaluate_goes_on_learning_and_leaves_the_model_alone(self, trained, tmp_path):
        strange = tmp_path / "strange.txt"
        strange.write_text("zebras quiver. " * 100)
        options = ["evaluate", trained[0], "--dataset", strange, "--split", "all", "--json"]
        still, dynamic, again = (
            json.loads(self.run(*options, *more).stdout)["nats_per_character"] for more in ([], ["--dynamic"], [])
        )
        assert dynamic < still and again == still

    def test_files_of_any_kind_are_read_or_refused_in_one_line(self, trained, tmp_path):
        text = write_text(tmp_path / "one.txt", 50)
        packed = tmp_path / "two.txt.gz"
        packed.write_bytes(gzip.compress(text.read_bytes()))
        options = ["evaluate", trained[0], "--split", "all", "--json", "--dataset"]
        one, two, both = (json.loads(self.run(*options, which).stdout) for which in (text, packed, f"{text},{packed}"))
        assert one == two and both["characters"] == 2 * one["characters"]
        strange = tmp_path / "strange.txt"
        strange.write_bytes(b"\xff\xfe caf\xe9 " * 9 + "never seen: 电影 🎉 ".encode() * 9)
        assert json.loads(self.run(*options, strange).stdout)["nats_per_character"] > 1
        binary = tmp_path / "binary.bin"
        binary.write_bytes(bytes(range(256)) * 9)
        empty = tmp_path / "empty.txt"
        empty.write_text("")
        start = ["train", "--run-dir", tmp_path / "run", "--dataset"]
        for file, reason in ((binary, "binary"), (empty, "no text"), (tmp_path / "gone.txt", "gone.txt")):
            error = self.refused(*start, file)
            assert reason in error and file.name in error
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize("level", ["word", "subword"])
    def test_every_level_and_option_trains(self, data, tmp_path, level):
        options = "--cell gru --layers 2 --recurrent-dropout 0.1 --l2 1e-5 --untied --activation-penalty 2 "
        options += f"--slowness-penalty 1 --epochs 1 --level {level} --vocabulary 512"
        run, export = tmp_path / "run", tmp_path / "export"
        self.run("train", *data, "--run-dir", run, *SMALL, *options.split())
        words = json.loads(self.run("complete", run, "the cat sees the d", "--json").stdout)["completions"]
        assert words and all(word["word"].startswith("d") for word in words)
        assert ("33.33%" in self.run("score", run, "the quux sees").stdout) == (level == "word")
        assert (run / "report" / "surprise.png").stat().st_size > 1000
        if level == "word":
            assert "no completion of 'quux' is known" in self.run("complete", run, "the quux").stderr
        if level == "subword":  # whose operations are those of TensorFlow Text
            answers = [self.run("predict", run, "--json", "the cat", "", "--length", 5).stdout]
            self.run("export", run, "--output", export)
            answers.append(self.run("predict", export, "--json", "the cat", "", "--length", 5).stdout)
            assert answers[0] == answers[1]

    def test_a_table_of_prompts_is_answered(self, trained, tmp_path):
        (tmp_path / "prompts.csv").write_text('prompt\nthe cat\n""\n"the dog\nsees"\n')
        options = [
            "--input",
            tmp_path / "prompts.csv",
            "--output",
            tmp_path / "texts.jsonl",
            "--length",
            12,
            "--seed",
            4,
        ]
        self.run("predict", trained[0], *options)
        rows = [json.loads(line) for line in (tmp_path / "texts.jsonl").read_text().splitlines()]
        assert [row["prompt"] for row in rows] == ["the cat", "", "the dog\nsees"]
        alone = json.loads(self.run("predict", trained[0], "--json", "the cat", "--length", 12, "--seed", 4).stdout)
        assert rows[0]["predicted_text"] == alone["text"]
        assert "--samples" in self.refused("predict", trained[0], *options[:4], "--samples", 2)
