"""`rnn-sentiment predict` of a run, an export and servers, line by line and for whole files. Nothing is trained."""

import csv
import json

import keras
import pytest

from rnnapps import serving
from rnnapps.apps.sentiment.cli import TASK, main
from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.apps.sentiment.serving import endpoints
from tests.apps.contract import invoke, write_config
from tests.printed_answers import assert_same_answers
from tests.serving.model_server import KINDS, serve

TEXTS = ["a superb film", "", "🎉🎉", "这部电影很好看。", "nul \x00 byte", '"quoted", <br />', "caf\u00e9 " * 3000]


def run(*arguments, **others):
    return invoke(main, *arguments, **others)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run folder and an export, of a model whose weights are random."""
    folder = tmp_path_factory.mktemp("sentiment")
    keras.utils.set_random_seed(1)
    words = ["a", "film", "superb", "awful", "quoted"]
    model = SentimentClassifier(words, ("bad", "good"), ngram_bins=64, units=8, embedding_units=8, max_length=12)
    model.build((None,))
    (folder / "run").mkdir()
    model.save(folder / "run" / "model.keras")
    write_config(folder / "run", TASK)
    with pytest.MonkeyPatch.context() as patch:  # the export of the contract is checked
        patch.setattr("rnnapps.serving.export.check_export", lambda folder: serving.Findings(()))
        serving.save(folder / "sentiment", [model], endpoints(model), batch_sizes=[1])
    return folder


@pytest.fixture(scope="module", params=KINDS)
def server(request, folder):
    with serve({"sentiment": folder / "sentiment", "renamed": folder / "sentiment"}, request.param) as addresses:
        yield addresses


def test_a_server_answers_as_the_run_and_the_export(folder, server):
    for form in ([], ["--json"]):
        expected = run("predict", folder / "run", *form, "--", *TEXTS).stdout
        assert_same_answers(run("predict", folder / "sentiment", *form, "--", *TEXTS).stdout, expected)
        for url in server:
            assert_same_answers(run("predict", "--server", url, *form, "--", *TEXTS).stdout, expected)
    lines = "one\n\nsuperb\n"
    expected = run("predict", folder / "run", input=lines).stdout
    for url in server:
        options = ["--model", "renamed", "--model-version", 1, "--timeout", 20, "--batch-size", 2]
        assert_same_answers(run("predict", "--server", url, *options, input=lines).stdout, expected)


def refused(*arguments):
    result = run(*arguments, code=2)
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_mistakes_are_one_line(folder, server, tmp_path):
    for url in server:
        assert "model 'typo'" in refused("predict", "--server", url, "--model", "typo", "text")
        assert "no version 7" in refused("predict", "--server", url, "--model-version", 7, "text")
    assert "no model server answers there" in refused("predict", "--server", "http://localhost:1", "text")
    assert "not an address" in refused("predict", "--server", "localhost:8500", "text")
    assert "leave out" in refused("predict", "--server", server.grpc, folder / "run", "text")
    assert "Missing argument 'RUN'; name a run or export, or a server with --server" in refused("predict")
    assert "--timeout needs --server" in refused("predict", folder / "run", "--timeout", 3, "text")
    assert "--input and --output go together" in refused("predict", folder / "run", "--input", "a.csv")
    (tmp_path / "in.txt").write_text("a\n")
    files = ["--input", tmp_path / "in.txt", "--output", tmp_path / "out.csv"]
    assert "leave out 'text'" in refused("predict", folder / "run", *files, "text")
    assert "--json" in refused("predict", folder / "run", *files, "--json")
    assert not (tmp_path / "out.csv").exists()


def write_reviews(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "review"])
        writer.writerows([number, TEXTS[number % 6] * (1 + number % 3)] for number in range(rows))
    return path


def test_a_file_gets_the_same_answers_from_all_three(folder, server, tmp_path):
    source = write_reviews(tmp_path / "in.csv", 50)
    with source.open("a") as file:
        file.write("one,two,three\n")
    found = []
    for number, where in enumerate([[folder / "run"], [folder / "sentiment"], *(["--server", url] for url in server)]):
        output = tmp_path / f"{number}.jsonl"
        options = ["--input", source, "--output", output, "--text-column", "review", "--batch-size", 7]
        assert "50 answers, 1 row rejected" in run("predict", *where, *options).stdout
        found.append(output.read_text(encoding="utf-8"))
    for other in found[1:]:
        assert_same_answers(other, found[0])
    rows = [json.loads(line) for line in found[0].splitlines()]
    assert [row["id"] for row in rows] == [str(number) for number in range(50)]
    expected = json.loads(run("predict", folder / "run", "--json", "--", TEXTS[0]).stdout)
    assert rows[0]["predicted_label"] == expected["label"]
    assert rows[0]["predicted_probabilities"] == pytest.approx(expected["probabilities"], abs=1e-5)
