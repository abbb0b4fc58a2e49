"""Captions from end to end on films of a square that moves, and frame features of a user's own Keras model."""

import csv
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.video.cli import TASK, main
from rnnapps.apps.video.model import Captioner
from rnnapps.apps.video.words import framed, joined, plain, words_of
from rnnapps.training import RunFolder, load_model
from tests.apps.contract import invoke
from tests.apps.video.films import WAYS, square, write_film

SMALL = ["--units", "16", "--convolutions", "4,8", "--frame-units", "16", "--dropout", "0", "--batch-size", "8"]
SMALL += ["--learning-rate", "0.02", "--embedding-units", "16"]
SENTENCES = {"left": "A square goes to the left.", "right": "A square goes to the right.", "still": "Nothing moves!"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("films"), np.random.default_rng(0)
    with open(folder / "films.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "caption"])
        for number in range(45):
            way = WAYS[number % 3]
            write_film(folder / f"{number}.mkv", square(way, int(random.integers(8, 17)), random))
            table.writerow([f"{number}.mkv", SENTENCES[way]])
    return folder / "films.csv"


@pytest.fixture(scope="module")
def run(manifest, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    output = invoke(main, "train", "--dataset", manifest, "--run-dir", folder, *SMALL, "--epochs", 14).stdout
    assert "captions of 9 different words in train" in output and "words: 9" in output and "exact match" in output
    return folder


def test_captions_are_learnt_word_for_word(run):
    metrics = json.loads((run / "metrics.json").read_text())["test"]
    assert metrics["exact_match"] == 1 and metrics["loss"] < 0.3 and metrics["count"] == 4
    assert metrics["bleu"] == pytest.approx(100) and "tok:13a" in metrics["bleu_signature"]
    figures = json.loads(invoke(main, "evaluate", run, "--json").stdout)
    assert figures["exact_match"] == metrics["exact_match"]
    assert figures["loss"] == pytest.approx(metrics["loss"], rel=1e-3)


def test_all_captions_of_a_clip_are_its_references(run, manifest, tmp_path):
    rows = [("path", "caption")]
    for number in range(3):
        sentence = SENTENCES[WAYS[number]]
        rows += [(manifest.parent / f"{number}.mkv", text) for text in (f"Something else, {number}.", sentence)]
    with open(tmp_path / "several.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    figures = json.loads(
        invoke(main, "evaluate", run, "--dataset", tmp_path / "several.csv", "--split", "all", "--json").stdout
    )
    assert figures["count"] == 6 and figures["exact_match"] == 1 and figures["bleu"] == pytest.approx(100)


def test_run_and_export_write_the_same_captions(run, manifest, tmp_path):
    films = [manifest.parent / f"{number}.mkv" for number in range(3)]
    plot = tmp_path / "plot.png"
    printed = invoke(main, "predict", run, *films, "--plot", plot).stdout
    expected = [
        f"{film}\t{text}" for film, text in zip(films, plain([s.encode() for s in SENTENCES.values()]), strict=True)
    ]
    assert printed.splitlines() == expected and plot.stat().st_size > 10_000
    invoke(main, "export", run, "--output", tmp_path / "export")
    answers = [invoke(main, "predict", where, *films, "--json").stdout for where in (run, tmp_path / "export")]
    for ours, exported in zip(*(map(json.loads, answer.splitlines()) for answer in answers), strict=True):
        assert ours["answer"] == exported["answer"] and ours["score"] == pytest.approx(exported["score"], abs=1e-4)
    assert set(serving.metadata(tmp_path / "export")["signatures"]) == {"serving_default", "jpeg", "mjpeg"}
    assert "needs the run folder" in invoke(main, "predict", tmp_path / "export", films[0], "--beam", 2, code=2).stderr
    assert (
        "--top 2: the model answers with captions" in invoke(main, "predict", run, films[0], "--top", 2, code=2).stderr
    )


def test_padding_never_changes_a_caption(run):
    model = load_model(RunFolder(run), Captioner)
    clip = square("right", 9, np.random.default_rng(3), 32, 32)
    padded = np.concatenate([clip, np.full((7, 32, 32, 3), 200, np.uint8)])
    how = TASK.decoding()
    alone = model.captions(tf.constant(clip[None]), tf.constant([9]), how)
    beside = model.captions(tf.constant(padded[None]), tf.constant([9]), how)
    assert alone[0].numpy() == beside[0].numpy() and float(alone[1][0]) == pytest.approx(float(beside[1][0]), abs=1e-4)


def test_a_run_of_captions_refuses_labels_in_one_line(run, tmp_path):
    for way in WAYS:
        write_film(tmp_path / "labelled" / way / "1.mkv", square(way, 4, np.random.default_rng(0)))
    error = invoke(main, "evaluate", run, "--dataset", tmp_path / "labelled", "--split", "all", code=2).stderr
    assert error.startswith("error: ") and "the model writes captions" in error and error.count("\n") == 1


def test_words_become_ids_and_ids_words():
    captions = [b"A cat, a dog.", b"a  Dog!"]
    words = words_of(captions, 2)
    assert words == ["a", "dog"] and plain(captions) == ["a cat a dog", "a dog"]
    ids = framed(captions, words)
    assert ids.tolist() == [[2, 4, 1, 4, 5, 3], [2, 4, 5, 3, 0, 0]]
    assert joined(tf.constant([[4, 1, 4, 5], [4, 5, 0, 0]]), words).numpy().tolist() == ["a … a dog".encode(), b"a dog"]


def test_a_model_of_ones_own_gives_the_frame_features_and_is_kept_in_the_run(manifest, tmp_path):
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(6, 3, 4, activation="relu"), keras.layers.Flatten()]
    backbone = keras.Sequential([keras.Input((24, 24, 3)), *layers])
    backbone.save(tmp_path / "mine.keras")
    options = ["--dataset", manifest, *SMALL, "--run-dir", tmp_path / "run", "--epochs", 1]
    invoke(main, "train", *options, "--backbone", tmp_path / "mine.keras")
    (tmp_path / "mine.keras").unlink()
    model = load_model(RunFolder(tmp_path / "run"), Captioner)
    for ours, theirs in zip(model.frame_encoder.backbone.get_weights(), backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert not model.frame_encoder.backbone.trainable_weights
    assert "0.mkv" in invoke(main, "predict", tmp_path / "run", manifest.parent / "0.mkv").stdout


def test_a_backbone_that_runs_code_or_takes_no_pictures_is_refused(manifest, tmp_path):
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x), keras.layers.Flatten()]).save(
        tmp_path / "lambda.keras"
    )
    keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]).save(tmp_path / "dense.keras")
    (tmp_path / "text.keras").write_text("no model")
    complaints = {
        "lambda.keras": "could run any code",
        "dense.keras": "needs one input (batch, height, width, 3)",
        "text.keras": "cannot be loaded",
        "typo.keras": "cannot be read: No such file",
    }
    for name, complaint in complaints.items():
        options = ["--dataset", manifest, "--run-dir", tmp_path / "run", "--backbone", tmp_path / name]
        error = invoke(main, "train", *options, code=2).stderr
        assert error.startswith("error: ") and complaint in error and name in error, error
