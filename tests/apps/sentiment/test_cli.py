"""The command line from end to end, on a few invented reviews."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from click.testing import CliRunner

from rnnapps import serving
from rnnapps.apps.sentiment.cli import main

GOOD, BAD = ["superb", "lovely", "brilliant", "moving"], ["dull", "awful", "boring", "clumsy"]
SMALL = ["--units", "8", "--embedding-units", "8", "--max-length", "12", "--epochs", "3", "--learning-rate", "0.02"]
SMALL += ["--batch-size", "16", "--dropout", "0.1"]
TRICKY = ["", " ", "🎉", "这部电影很好看", "a\x00b", "<br />", "superb " * 100_000]


def run(*arguments, code=0, **kwargs):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], **kwargs)
    assert result.exit_code == code, result.output
    return result


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


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder, the data it was trained on, and what train said."""
    folder = tmp_path_factory.mktemp("sentiment")
    data = write_reviews(folder / "reviews.csv")
    result = run("train", "--dataset", data, "--run-dir", folder / "run", *SMALL)
    return folder / "run", data, result.stdout


def test_train_leaves_the_run_folder_and_learns(trained):
    folder, _, output = trained
    names = ["config.json", "model.keras", "checkpoints", "history.csv", "metrics.json", "logs", "report"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert {path.name for path in (folder / "report").iterdir()} >= {"curves.png", "confusion_matrix.png"}
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test"]["accuracy"] > 0.9
    assert "train 192, validation 24, test 24; classes bad, good" in output
    assert f"accuracy  {metrics['test']['accuracy']:.2%}" in output


def test_evaluate_repeats_the_figures_of_train(trained):
    folder, *_ = trained
    figures = json.loads(run("evaluate", folder, "--json").stdout)
    expected = json.loads((folder / "metrics.json").read_text())["test"]
    assert figures["counts"] == {"bad": 12, "good": 12}
    for name in ("accuracy", "f1", "roc_auc", "loss"):
        assert figures[name] == pytest.approx(expected[name], abs=1e-5)


def test_evaluate_takes_data_with_fewer_classes_in_another_order(trained, tmp_path):
    folder, *_ = trained
    path = tmp_path / "more.jsonl"
    path.write_text('{"body": "superb", "stars": "good"}\n{"body": "awful", "stars": "bad"}\n')
    columns = ["--text-column", "body", "--label-column", "stars"]
    figures = json.loads(run("evaluate", folder, "--dataset", path, "--split", "all", *columns, "--json").stdout)
    assert figures["accuracy"] == 1


def test_evaluate_draws_only_where_it_is_told_to(trained, tmp_path):
    folder, *_ = trained
    before = (folder / "report" / "confusion_matrix.png").stat().st_mtime_ns
    run("evaluate", folder, "--plot", tmp_path / "matrix.png")
    assert (tmp_path / "matrix.png").stat().st_size > 1000
    assert (folder / "report" / "confusion_matrix.png").stat().st_mtime_ns == before


def test_evaluate_refuses_labels_that_the_model_does_not_know(trained, tmp_path):
    folder, *_ = trained
    path = tmp_path / "other.csv"
    path.write_text("text,label\nsuperb,good\nmeh,so-so\n")
    error = run("evaluate", folder, "--dataset", path, "--split", "all", code=2).stderr
    assert "label 'so-so' is none of the model's classes (bad, good)" in error


def test_predict_reads_arguments_or_lines(trained):
    folder, *_ = trained
    lines = run("predict", folder, "a superb film", "an awful film").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["good", "bad"]
    objects = run("predict", folder, "--json", "--batch-size", "2", input="superb\nawful\n\n").stdout.splitlines()
    answers = [json.loads(line) for line in objects]
    assert [answer["label"] for answer in answers[:2]] == ["good", "bad"]
    assert [answer["text"] for answer in answers] == ["superb", "awful", ""]
    assert all(sum(answer["probabilities"]) == pytest.approx(1, abs=1e-5) for answer in answers)


def test_export_answers_as_predict_does_also_to_tricky_texts(trained, tmp_path):
    folder, *_ = trained
    output = tmp_path / "export"
    assert "in a process without keras and rnnapps" in run("export", folder, "--output", output).stdout
    assert serving.metadata(output)["metrics"] == json.loads((folder / "metrics.json").read_text())
    texts = ["superb", *TRICKY]
    ours, exported = (
        [json.loads(line) for line in run("predict", where, "--json", "--", *texts).stdout.splitlines()]
        for where in (folder, output)
    )
    assert len(ours) == len(exported) == len(texts)
    for one, other in zip(ours, exported, strict=True):
        np.testing.assert_allclose(one["probabilities"], other["probabilities"], atol=1e-5)
    one_batch = [json.loads(line) for line in run("predict", output, "--json", "").stdout.splitlines()]
    assert one_batch[0]["score"] == pytest.approx(exported[1]["score"], abs=1e-5)


def test_every_option_of_the_model_trains_and_is_saved(tmp_path):
    data = write_reviews(tmp_path / "reviews.csv", 120, (GOOD, BAD, ["fair", "average"]), ("good", "bad", "middling"))
    options = "--cell gru --layers 2 --recurrent-dropout 0.1 --word-dropout 0.1 --l2 1e-5 --truncate 4 --ngrams 2"
    options += " --adversarial 0.02 --averaging 0.9 --schedule plateau --pooling mean --no-bidirectional --epochs 2"
    run("train", "--dataset", data, "--run-dir", tmp_path / "run", *SMALL, *options.split())
    answer = json.loads(run("predict", tmp_path / "run", "--json", "superb").stdout)
    assert len(answer["probabilities"]) == 3
    loaded = keras.models.load_model(tmp_path / "run" / "model.keras", compile=False)
    assert loaded.get_config()["truncate"] == 4


def test_two_runs_with_one_seed_are_equal(tmp_path):
    data = write_reviews(tmp_path / "reviews.csv", 60)
    for name in ("one", "two"):
        run("train", "--dataset", data, "--run-dir", tmp_path / name, *SMALL, "--epochs", "1", "--seed", "7")
    one, two = (keras.models.load_model(tmp_path / name / "model.keras", compile=False) for name in ("one", "two"))
    for a, b in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_ctrl_c_keeps_the_run_and_resume_ends_it(tmp_path):
    data = write_reviews(tmp_path / "reviews.csv", 2000)
    folder = tmp_path / "run"
    command = [sys.executable, "-c", "from rnnapps.apps.sentiment.cli import main; main()", "train"]
    command += [
        "--dataset",
        data,
        "--run-dir",
        folder,
        *SMALL,
        "--batch-size",
        "2",
        "--epochs",
        "50",
        "--patience",
        "99",
    ]
    process = subprocess.Popen(
        [str(part) for part in command],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "RNNAPPS_ENGINE": "graph"},
    )
    deadline = time.monotonic() + 120
    while not (folder / "history.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"--resume {folder}" in errors.splitlines()[-1]
    assert (folder / "model.keras").exists()
    answer = run("predict", folder, "superb").stdout
    assert answer.startswith("good")
    error = run("train", "--resume", folder, "--units", "16", code=2).stderr
    assert "'units'" in error


def refused(*arguments):
    result = run(*arguments, code=2)
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


def test_mistakes_in_the_data_are_one_line(tmp_path):
    start = ["train", "--run-dir", tmp_path / "run", "--dataset"]
    assert "nowhere.csv" in refused(*start, tmp_path / "nowhere.csv")
    data = write_reviews(tmp_path / "reviews.csv", 40)
    assert "'stars'" in refused(*start, data, "--label-column", "stars")
    assert "good" in refused(*start, write_reviews(tmp_path / "one.csv", 40, (GOOD,), ("good",)))
    empty = tmp_path / "empty.csv"
    empty.write_text("text,label\n")
    assert "empty.csv" in refused(*start, empty)
    assert "movie_reviews" in refused(*start, "movie_review")
    broken = tmp_path / "broken.csv"
    broken.write_text(data.read_text() + "no label here\n")
    assert "broken.csv:42" in refused(*start, broken, "--strict")
    assert not (tmp_path / "run").exists()


def test_bad_rows_are_named_and_skipped(tmp_path):
    data = write_reviews(tmp_path / "reviews.csv", 40)
    data.write_text(data.read_text() + "no label here\n")
    output = run("train", "--run-dir", tmp_path / "run", "--dataset", data, *SMALL, "--epochs", "1").stdout
    assert "skipped 1 bad row:" in output
    assert "reviews.csv:42" in output


def test_mistakes_in_folders_are_one_line(trained, tmp_path):
    folder, data, _ = trained
    assert "already holds a run" in refused("train", "--run-dir", folder, "--dataset", data)
    (tmp_path / "file").write_text("")
    assert "file" in refused("train", "--run-dir", tmp_path / "file" / "run", "--dataset", data)
    for command in ("evaluate", "predict"):
        assert "nowhere" in refused(command, tmp_path / "nowhere")
    assert "nowhere" in refused("export", tmp_path / "nowhere", "--output", tmp_path / "export")
    assert "nowhere" in refused("train", "--resume", tmp_path / "nowhere")


def test_overwrite_starts_afresh_but_not_before_the_data_are_read(trained, tmp_path):
    _, data, _ = trained
    folder = tmp_path / "run"
    for overwrite in ([], ["--overwrite"]):
        run("train", "--run-dir", folder, "--dataset", data, *SMALL, "--epochs", "1", *overwrite)
    refused("train", "--run-dir", folder, "--dataset", tmp_path / "typo.csv", "--overwrite")
    assert (folder / "model.keras").exists()


@pytest.mark.parametrize("content", ["{}", "[]", "{"])
def test_a_damaged_configuration_is_one_line(trained, tmp_path, content):
    folder, *_ = trained
    damaged = tmp_path / "run"
    damaged.mkdir()
    (damaged / "config.json").write_text(content)
    (damaged / "model.keras").write_bytes((folder / "model.keras").read_bytes())
    assert "config.json" in refused("evaluate", damaged)
    assert "config.json" in refused("export", damaged, "--output", tmp_path / "export")


def test_a_damaged_model_is_one_line(trained, tmp_path):
    folder, *_ = trained
    damaged = tmp_path / "run"
    damaged.mkdir()
    (damaged / "config.json").write_bytes((folder / "config.json").read_bytes())
    (damaged / "model.keras").write_bytes((folder / "model.keras").read_bytes()[:5000])
    assert "model.keras" in refused("predict", damaged, "superb")


def test_export_goes_without_the_data_of_the_run(trained, tmp_path):
    folder, *_ = trained
    moved = tmp_path / "run"
    moved.mkdir()
    options = json.loads((folder / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**options, "dataset": str(tmp_path / "gone.csv")}))
    (moved / "model.keras").write_bytes((folder / "model.keras").read_bytes())
    result = run("export", moved, "--output", tmp_path / "export")
    assert "gone.csv" in result.stderr
    assert (tmp_path / "export" / "1" / "saved_model.pb").exists()


def test_quantize_adds_a_litert_file_and_its_vocabulary_before_the_version_appears(trained, tmp_path, monkeypatch):
    from rnnapps.apps.sentiment import serving as own
    from rnnapps.serving.litert import Interpreter

    folder, *_ = trained
    output = tmp_path / "export"
    said = run("export", folder, "--output", output, "--quantize", "dynamic").stdout
    assert "accuracy on 24 examples of the test split" in said
    extra = output / "1" / "assets.extra"
    words = (extra / "vocabulary.txt").read_text(encoding="utf-8").split("\n")
    assert words[:2] == ["", "[UNK]"] and words[-1] == ""
    ids = np.int32([[words.index(word) if word in words else 1 for word in ("a", "superb", "zebra")]])
    found = Interpreter(extra / "model.tflite")(ids)[0]
    expected = json.loads(run("predict", folder, "--json", "a superb zebra").stdout)["probabilities"]
    np.testing.assert_allclose(found, expected, atol=0.02)

    def killed(*_):
        assert not (output / "2").exists()
        raise serving.ExportError("cannot be converted")

    monkeypatch.setattr(own.litert, "convert", killed)
    assert "cannot be converted" in refused("export", folder, "--output", output, "--quantize", "dynamic")
    assert not (output / "2").exists()
