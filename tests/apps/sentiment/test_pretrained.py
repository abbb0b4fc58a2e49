"""Classifiers that start from a language model or from word vectors."""

import keras
import numpy as np
import pytest

from rnnapps import training
from rnnapps.apps.language.cli import main as language
from rnnapps.apps.sentiment.cli import main
from tests.apps.contract import invoke
from tests.apps.sentiment.test_cli import SMALL, write_reviews

LANGUAGE = ["--level", "word", "--normalised", "--units", "8", "--embedding-units", "8", "--epochs", "1"]
LANGUAGE += ["--batch-size", "4", "--sequence-length", "8"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    reviews = write_reviews(folder / "reviews.csv")
    lines = reviews.read_text().splitlines()[1:]
    (folder / "text.txt").write_text("\n".join(line.rpartition(",")[0] for line in lines))
    return folder


def language_run(data, *options):
    run = data / "-".join(["language", *options[1:]])
    if not run.exists():
        invoke(language, "train", "--dataset", data / "text.txt", "--run-dir", run, *LANGUAGE, *options)
    return run


def started(data, run_dir, *options):
    """A classifier started from a language model, and that model; frozen for longer than training lasts."""
    run = language_run(data)
    frozen = ["--unfreeze-every", "9", "--layer-rate", "0.5", *options]
    arguments = ["--dataset", data / "reviews.csv", "--run-dir", run_dir, *SMALL, "--epochs", "1", *frozen]
    result = invoke(main, "train", *arguments, "--start-from", run)
    assert "(100.0%) come from the language model in" in result.stdout
    return training.load_model(training.open_run(run_dir)), training.load_model(training.open_run(run))


def test_embeddings_alone_leave_the_shape_of_the_layers_free(data, tmp_path):
    _check_embeddings(*started(data, tmp_path / "run", "--cell", "gru", "--units", "6"))


@pytest.mark.parametrize("options", [["--bidirectional"], ["--no-bidirectional"]])
def test_embeddings_and_forward_layers_are_those_of_the_language_model(data, tmp_path, options):
    model, origin = started(data, tmp_path / "run", "--start-layers", *options)
    _check_embeddings(model, origin)
    layer = model.recurrent[0] if "--no-bidirectional" in options else model.recurrent[0].forward_layer
    kernel, *others = origin.recurrent[0].get_weights()
    # The language model's layer reads its embeddings times the root of their width.
    for taken, given in zip(layer.get_weights(), [kernel * 8**0.5, *others], strict=True):
        np.testing.assert_allclose(taken, given, rtol=1e-6)


def _check_embeddings(model, origin):
    table, origin_table = (one.embedding.get_weights()[0] for one in (model, origin))
    pieces = [piece.decode().strip() for piece in origin.tokens.pieces]
    rows = [pieces.index(word) for word in model.vocabulary]
    np.testing.assert_array_equal(table[2:], origin_table[rows])


def test_language_models_that_do_not_fit_are_one_line(data, tmp_path):
    arguments = ["train", "--dataset", data / "reviews.csv", "--run-dir", tmp_path / "run", *SMALL]
    start = [*arguments, "--start-from", language_run(data)]
    wider = invoke(main, *start, "--embedding-units", "9", code=2).stderr
    assert "use --embedding-units 8" in wider and "--cell" not in wider
    wider = invoke(main, *start, "--start-layers", "--units", "9", code=2).stderr
    assert "use --embedding-units 8 --cell lstm --units 8" in wider
    characters = language_run(data, "--level", "char")
    assert "reads characters; train one with" in invoke(main, *arguments, "--start-from", characters, code=2).stderr
    assert "use one of them" in invoke(main, *start, "--embeddings", "vectors.txt", code=2).stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        (["--start-layers"], "--start-from RUN"),
        (["--layer-rate", "0.5"], "--start-from RUN"),
        (["--unfreeze-every", "1"], "--start-from RUN"),
        (["--freeze-embeddings", "2"], "--embeddings FILE"),
    ],
)
def test_options_of_pretrained_weights_need_some(data, tmp_path, options, origin):
    arguments = ["--dataset", data / "reviews.csv", "--run-dir", tmp_path / "run"]
    message = invoke(main, "train", *arguments, *options, code=2).stderr
    assert message == f"error: {options[0]} needs {origin}\n"


def test_word_vectors_stay_as_they_are_while_they_are_frozen(data, tmp_path):
    vectors = {"superb": np.full(8, 0.5, "float32"), "awful": np.full(8, -0.5, "float32")}
    lines = [f"{word} {' '.join(map(str, vector))}" for word, vector in vectors.items()]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n")
    arguments = ["--dataset", data / "reviews.csv", *SMALL, "--embeddings", tmp_path / "glove.txt"]
    for epochs, same in ((9, True), (0, False)):
        run = tmp_path / f"run-{epochs}"
        result = invoke(main, "train", *arguments, "--run-dir", run, "--freeze-embeddings", epochs)
        assert "embeddings of 2 of 13 words (15.4%) come from" in result.stdout
        model = training.load_model(training.open_run(run))
        for word, vector in vectors.items():
            found = keras.ops.convert_to_numpy(model.embedding.embeddings)[2 + model.vocabulary.index(word)]
            assert np.array_equal(found, vector) is same
    error = invoke(main, "train", *arguments, "--run-dir", tmp_path / "no", "--embedding-units", "9", code=2).stderr
    assert "has vectors of 8 numbers; use --embedding-units 8" in error
