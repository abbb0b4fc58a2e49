"""The command line from end to end, on numbers of a few digits put into other words."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import sacrebleu
import tensorflow as tf
from click.testing import CliRunner

from rnnapps import serving
from rnnapps.apps.translation.cli import main

ENGLISH = ["zero", "one", "two", "three", "four", "five", "six", "seven"]
GERMAN = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben"]
SMALL = ["--units", "24", "--embedding-units", "24", "--vocabulary", "512", "--dropout", "0", "--batch-size", "16"]
SMALL += ["--epochs", "12", "--learning-rate", "0.01", "--averaging", "0.5", "--bleu-sample", "16"]


# The command, killed as soon as it has written a checkpoint.
KILLED = """
import os, signal, sys
from rnnapps.apps.translation import cli
from rnnapps.training.checkpoint import Checkpoints
write = Checkpoints.write
def write_and_die(self, state):
    write(self, state)
    os.kill(os.getpid(), signal.SIGKILL)
Checkpoints.write = write_and_die
cli.main(sys.argv[1:])
"""


def run(*arguments, code=0, **kwargs):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], **kwargs)
    assert result.exit_code == code, result.output
    return result


def pairs(count=640) -> list[tuple[str, str]]:
    choose = random.Random(0)
    numbers = [[choose.randrange(8) for _ in range(choose.randint(1, 4))] for _ in range(count)]
    return [(" ".join(ENGLISH[n] for n in row), " ".join(GERMAN[n] for n in row)) for row in numbers]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder, the data it was trained on, and what train said."""
    folder = tmp_path_factory.mktemp("translation")
    data = folder / "pairs.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in pairs()))
    result = run("train", "--dataset", data, "--run-dir", folder / "run", *SMALL)
    return folder / "run", data, result.stdout


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    output = tmp_path_factory.mktemp("exports") / "translation"
    run("export", trained[0], "--output", output, "--beam", "3", "--nbest", "2")
    return output


def test_train_leaves_the_run_folder_and_learns(trained):
    folder, _, output = trained
    names = ["config.json", "model.keras", "checkpoints", "history.csv", "metrics.json", "logs", "report"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert {path.name for path in (folder / "report").iterdir()} == {"curves.png", "attention.png"}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["monitor"] == "val_bleu"
    assert metrics["test"]["exact_match"] > 0.8
    assert "train 512, validation 64, test 64 pairs" in output
    assert metrics["test"]["bleu_signature"] in output


def test_evaluate_is_sacrebleu_of_what_predict_says(trained, tmp_path):
    folder, *_ = trained
    source, target = tmp_path / "a.en", tmp_path / "b.de"
    chosen = pairs(680)[640:]
    source.write_text("".join(f"{text}\n" for text, _ in chosen))
    target.write_text("".join(f"{text}\n" for _, text in chosen))
    figures = json.loads(run("evaluate", folder, "--source", source, "--target", target, "--json").stdout)
    lines = run("predict", folder, input=source.read_text()).stdout.splitlines()
    references = [text for _, text in chosen]
    assert figures["bleu"] == pytest.approx(sacrebleu.corpus_bleu(lines, [references]).score)
    assert figures["chrf"] == pytest.approx(sacrebleu.corpus_chrf(lines, [references]).score)
    assert figures["exact_match"] == sum(a == b for a, b in zip(lines, references, strict=True)) / 40
    assert figures["count"] == 40


def test_predict_gives_several_translations_the_best_first(trained):
    folder, *_ = trained
    line = json.loads(run("predict", folder, "one two", "--nbest", "3", "--beam", "4", "--json").stdout)
    assert line["text"] == "one two"
    assert line["translation"] == line["nbest"][0]["translation"] == "eins zwei"
    scores = [one["score"] for one in line["nbest"]]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert run("predict", folder, "one two", "--nbest", "2").stdout.count("\t") == 4
    assert "--nbest 6 needs a --beam as wide" in run("predict", folder, "x", "--nbest", "6", code=2).stderr


def test_predict_draws_the_attention(trained, tmp_path):
    run("predict", trained[0], "one two $ 3", "", "two", "--attention-plot", tmp_path / "attention.png")
    assert (tmp_path / "attention.png").stat().st_size > 1000


def test_options_that_do_not_go_together_are_one_line(trained, tmp_path):
    folder, *_ = trained

    def complaint(*arguments):
        error = run(*arguments, code=2).stderr
        assert error.startswith("error: ") and error.count("\n") == 1
        return error

    into = ["--run-dir", tmp_path / "run"]
    (tmp_path / "a.de").write_text("eins\n")
    only = ["--target", tmp_path / "a.de"]
    assert "give one or the other" in complaint("train", *into, "--dataset", "expressions", *only)
    assert "needs --source FILE" in complaint("train", *into, *only)
    plot = ["--attention-plot", tmp_path / "a.png"]
    files = ["--input", tmp_path / "a.de", "--output", tmp_path / "out.jsonl"]
    assert "leave out --input" in complaint("predict", folder, *files, *plot)
    assert "must end in .png" in complaint("predict", folder, "one", "--attention-plot", tmp_path / "a.jpg")
    assert not (tmp_path / "run").exists() and not (tmp_path / "out.jsonl").exists()


def test_predict_takes_anything_and_ends(trained):
    strange = ["", " ", "🎉" * 50, "这部电影很好看", "one " * 400, "a\x00b"]
    lines = run("predict", trained[0], *strange, "--longest", "30").stdout.split("\n")
    assert len(lines) == len(strange) + 1
    assert lines[:2] == ["", ""]


def test_predict_answers_a_whole_file(trained, tmp_path):
    texts = tmp_path / "texts.txt"
    texts.write_text("one\ntwo three\n")
    run("predict", trained[0], "--input", texts, "--output", tmp_path / "out.jsonl")
    answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [answer["predicted_translation"] for answer in answers] == ["eins", "zwei drei"]


def test_the_export_answers_as_the_run_does(trained, exported):
    folder, *_ = trained
    texts = [source for source, _ in pairs(840)[640:]] + ["", "🎉"]
    options = ["--beam", "3", "--nbest", "2", "--json"]
    of_run = [json.loads(line) for line in run("predict", folder, *texts, *options).stdout.splitlines()]
    of_export = [
        json.loads(line) for line in run("predict", exported, *texts, "--nbest", "2", "--json").stdout.splitlines()
    ]
    for ours, theirs in zip(of_run, of_export, strict=True):
        for one, other in zip(ours["nbest"], theirs["nbest"], strict=True):
            assert one["translation"] == other["translation"]
            assert one["score"] == pytest.approx(other["score"], abs=1e-4)
    best = serving.load(exported)(text=tf.constant(texts[:3]))
    assert [text.decode() for text in best["translation"].numpy()] == [one["translation"] for one in of_run[:3]]


def test_what_an_export_has_fixed_cannot_be_asked_for(exported):
    for option, value in (("--beam", "9"), ("--attention-plot", "a.png")):
        assert f"{option} needs the run folder" in run("predict", exported, "one", option, value, code=2).stderr


def test_separate_vocabularies_lstm_and_no_attention_train_too(trained, tmp_path):
    _, data, _ = trained
    kind = ["--separate", "--cell", "lstm", "--no-attention", "--epochs", "1", "--layers", "2", "--sampling", "0.3"]
    run("train", "--dataset", data, "--run-dir", tmp_path / "run", *SMALL, *kind)
    assert not (tmp_path / "run" / "report" / "attention.png").exists()
    error = run("predict", tmp_path / "run", "one", "--attention-plot", tmp_path / "a.png", code=2).stderr
    assert "--no-attention" in error


def test_a_resumed_run_ends_like_one_that_was_not_stopped(tmp_path):
    data = tmp_path / "pairs.tsv"
    data.write_text("".join(f"{source}\t{target}\n" for source, target in pairs(120)))
    options = ["--dataset", data, *SMALL, "--epochs", "2", "--sampling", "0.5", "--dropout", "0.2"]
    run("train", *options, "--run-dir", tmp_path / "whole")
    stopped = tmp_path / "stopped"
    process = subprocess.run(
        [
            sys.executable,
            "-c",
            KILLED,
            "train",
            *map(str, options),
            "--run-dir",
            str(stopped),
            "--checkpoint-every",
            "5",
        ],
        capture_output=True,
        check=False,
    )
    assert process.returncode == -9, process.stderr
    run("train", "--resume", stopped)
    histories = [Path(folder, "history.csv").read_text().splitlines() for folder in (tmp_path / "whole", stopped)]
    for ours, theirs in zip(*histories, strict=True):
        ours, theirs = (line.split(",") for line in (ours, theirs))
        del ours[2], theirs[2]  # seconds
        assert ours == theirs


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--source", "a.en"], "--source"),
        (["--dataset", "nowhere.tsv"], "no such file or folder: 'nowhere.tsv'"),
        (["--source", "a.en", "--target", "b.de"], "a.en"),
    ],
)
def test_mistakes_are_one_line(tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    Path("a.en").write_text("one\ntwo\n")
    Path("b.de").write_text("eins\n")
    error = run("train", *arguments, "--run-dir", "run", code=2).stderr
    assert error.startswith("error: ") and error.count("\n") == 1
    assert said in error
    assert not Path("run").exists()
