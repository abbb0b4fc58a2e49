"""The command line from end to end, on numbers in other words: the contract, and what only this app does."""

import json
import random
import shutil
from pathlib import Path

import pytest
import sacrebleu
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.translation.cli import TASK, main
from tests.apps.contract import Contract, invoke

ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven"]
GERMAN = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben"]
SMALL = ["--units", "24", "--embedding-units", "24", "--vocabulary", "512", "--dropout", "0", "--batch-size", "16"]
SMALL += ["--epochs", "12", "--learning-rate", "0.01", "--averaging", "0.5", "--bleu-sample", "16"]


def pairs(count=640) -> list[tuple[str, str]]:
    choose = random.Random(0)
    numbers = [[choose.randrange(8) for _ in range(choose.randint(1, 4))] for _ in range(count)]
    return [(" ".join(ENGLISH[n] for n in row), " ".join(GERMAN[n] for n in row)) for row in numbers]


def write_pairs(path, count=640):
    path.write_text("".join(f"{source}\t{target}\n" for source, target in pairs(count)))
    return path


class TestTranslation(Contract):
    main, task, small = main, TASK, SMALL
    inputs = ("one two", "three", "", " ", "🎉", "这部电影很好看", "one " * 200, "a\x00b")
    pictures = ("curves.png", "attention.png")
    timed = ("sentences_per_second",)
    resumed = None

    def write(self, folder):
        return ["--dataset", write_pairs(folder / "pairs.tsv")]

    def test_train_learns_and_says_so(self, trained):
        metrics = json.loads((trained[0] / "metrics.json").read_text())
        assert metrics["monitor"] == "val_bleu"
        assert metrics["test"]["exact_match"] > 0.8
        assert "train 512, validation 64, test 64 pairs" in trained[1]
        assert metrics["test"]["bleu_signature"] in trained[1]

    def test_evaluate_is_sacrebleu_of_what_predict_says(self, trained, tmp_path):
        folder, _ = trained
        source, target = tmp_path / "a.en", tmp_path / "b.de"
        chosen = pairs(680)[640:]
        source.write_text("".join(f"{text}\n" for text, _ in chosen))
        target.write_text("".join(f"{text}\n" for _, text in chosen))
        figures = json.loads(self.run("evaluate", folder, "--source", source, "--target", target, "--json").stdout)
        lines = self.run("predict", folder, input=source.read_text()).stdout.splitlines()
        references = [text for _, text in chosen]
        assert figures["bleu"] == pytest.approx(sacrebleu.corpus_bleu(lines, [references]).score)
        assert figures["chrf"] == pytest.approx(sacrebleu.corpus_chrf(lines, [references]).score)
        assert figures["exact_match"] == sum(a == b for a, b in zip(lines, references, strict=True)) / 40
        assert figures["count"] == 40

    def test_predict_gives_several_translations_best_first(self, trained):
        folder, _ = trained
        line = json.loads(self.run("predict", folder, "one two", "--nbest", "3", "--beam", "4", "--json").stdout)
        assert line["text"] == "one two"
        assert line["translation"] == line["nbest"][0]["translation"] == "eins zwei"
        scores = [candidate["score"] for candidate in line["nbest"]]
        assert len(scores) == 3 and scores == sorted(scores, reverse=True)
        assert self.run("predict", folder, "one two", "--nbest", "2").stdout.count("\t") == 4
        assert "--nbest 6 needs a --beam of at least 6" in self.refused("predict", folder, "x", "--nbest", "6")

    def test_evaluate_reads_what_was_held_out_and_all_of_other_files(self, trained, tmp_path):
        texts = list(zip(*pairs(100), strict=True))
        for path, lines in zip((tmp_path / "a.en", tmp_path / "a.de"), texts, strict=True):
            path.write_text("".join(f"{text}\n" for text in lines))
        data = ["--source", tmp_path / "a.en", "--target", tmp_path / "a.de"]
        shutil.copytree(trained[0], tmp_path / "run")
        config = json.loads((tmp_path / "run" / "config.json").read_text())
        config["source"] |= {"dataset": None, "source": str(data[1]), "target": str(data[3])}
        (tmp_path / "run" / "config.json").write_text(json.dumps(config))
        for options, count in (([], 10), (["--strict"], 10), (data, 100)):
            assert json.loads(self.run("evaluate", tmp_path / "run", *options, "--json").stdout)["count"] == count

    def test_predict_draws_the_attention(self, trained, tmp_path):
        self.run("predict", trained[0], "one two $ 3", "", "two", "--attention-plot", tmp_path / "attention.png")
        assert (tmp_path / "attention.png").stat().st_size > 1000
        nothing = tmp_path / "nothing.png"
        assert self.run("predict", trained[0], "--attention-plot", nothing, input="").stdout == ""
        assert not nothing.exists()

    def test_predict_ends_whatever_it_reads(self, trained):
        strange = ["", " ", "🎉" * 50, "这部电影很好看", "one " * 400, "a\x00b"]
        lines = self.run("predict", trained[0], *strange, "--longest", "30").stdout.split("\n")
        assert len(lines) == len(strange) + 1
        assert lines[:2] == ["", ""]

    def test_predict_answers_a_whole_file(self, trained, tmp_path):
        texts = tmp_path / "texts.txt"
        texts.write_text("one\ntwo three\n")
        self.run("predict", trained[0], "--input", texts, "--output", tmp_path / "out.jsonl")
        answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert [answer["predicted_translation"] for answer in answers] == ["eins", "zwei drei"]

    def test_an_export_gives_as_many_translations_as_it_was_written_with(self, trained, tmp_path, unchecked):
        self.run("export", trained[0], "--output", tmp_path / "export", "--beam", "3", "--nbest", "2")
        texts = [source for source, _ in pairs(740)[640:]] + ["", "🎉"]
        of_run = self.run("predict", trained[0], *texts, "--beam", "3", "--nbest", "2", "--json").stdout.splitlines()
        of_export = self.run("predict", tmp_path / "export", *texts, "--nbest", "2", "--json").stdout.splitlines()
        complaint = self.refused("predict", tmp_path / "export", "one", "--nbest", "3")
        assert "--nbest 3: the export gives at most 2; export again with --nbest 3" in complaint
        for ours, theirs in zip(map(json.loads, of_run), map(json.loads, of_export), strict=True):
            for one, other in zip(ours["nbest"], theirs["nbest"], strict=True):
                assert one["translation"] == other["translation"]
                # Products of other shapes.
                assert one["score"] == pytest.approx(other["score"], abs=1e-4)
        best = serving.load(tmp_path / "export")(text=tf.constant(texts[:3]))
        expected = [json.loads(line)["translation"] for line in of_run[:3]]
        assert [text.decode() for text in best["translation"].numpy()] == expected

    def test_options_that_an_export_fixes_are_refused(self, exported):
        assert "--beam needs the run folder" in self.refused("predict", exported[0], "one", "--beam", 9)
        drawn = self.refused("predict", exported[0], "one", "--attention-plot", "a.png")
        assert "--attention-plot needs a run folder and answers on the screen" in drawn

    def test_options_that_do_not_go_together_are_one_line(self, trained, tmp_path):
        folder, _ = trained
        into = ["--run-dir", tmp_path / "run"]
        (tmp_path / "a.de").write_text("eins\n")
        only = ["--target", tmp_path / "a.de"]
        assert "give one or the other" in self.refused("train", *into, "--dataset", "expressions", *only)
        assert "needs --source FILE" in self.refused("train", *into, *only)
        files = ["--input", tmp_path / "a.de", "--output", tmp_path / "out.jsonl"]
        error = self.refused("predict", folder, *files, "--attention-plot", tmp_path / "a.png")
        assert "--attention-plot" in error and "--input" in error
        assert "must end in .png" in self.refused("predict", folder, "one", "--attention-plot", tmp_path / "a.jpg")
        assert not (tmp_path / "run").exists() and not (tmp_path / "out.jsonl").exists()

    def test_separate_vocabularies_lstm_and_no_attention_train_too(self, data, tmp_path):
        kind = ["--separate", "--cell", "lstm", "--attention", "none", "--epochs", "1", "--layers", "2"]
        self.run("train", *data, "--run-dir", tmp_path / "run", *SMALL, *kind, "--sampling", "0.3")
        assert not (tmp_path / "run" / "report" / "attention.png").exists()
        arguments = ["predict", tmp_path / "run", "one", "--attention-plot", tmp_path / "a.png"]
        assert "--attention none" in self.run(*arguments, code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--source", "a.en"], "--source"),
        (["--dataset", "nowhere.tsv"], "no such file or folder: 'nowhere.tsv'"),
        (["--source", "a.en", "--target", "b.de"], "a.en"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, arguments, complaint):
    monkeypatch.chdir(tmp_path)
    Path("a.en").write_text("one\ntwo\n")
    Path("b.de").write_text("eins\n")
    error = invoke(main, "train", *arguments, "--run-dir", "run", code=2).stderr
    assert error.startswith("error: ") and error.count("\n") == 1
    assert complaint in error
    assert not Path("run").exists()
