"""Sources, the registry of named sets, and the summary."""

import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from rnnapps.datasets import (
    NAMED_SETS,
    DataError,
    Pairs,
    PairSource,
    RecordingSource,
    Rejected,
    TextSource,
    absolute,
    load_splits,
    summary,
)
from rnnapps.options import as_json, from_json


def test_a_command_line_waits_for_neither_tensorflow_nor_numpy():
    code = (
        "import sys, rnnapps.datasets.sources; print([m for m in ('tensorflow', 'keras', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_all_public_names_are_there():
    module = importlib.import_module("rnnapps.datasets")
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'load_pairs'"):
        module.load_pairs  # noqa: B018


def test_paths_become_absolute_and_names_stay(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("movie_reviews", "data.csv", "a.de", "a.en", "spoken_words"):
        (tmp_path / name).touch()
    assert absolute(TextSource(dataset="movie_reviews")).dataset == "movie_reviews"
    assert absolute(TextSource(dataset="./movie_reviews")).dataset == str(tmp_path / "movie_reviews")
    assert absolute(TextSource(dataset="data.csv", data_dir=Path("tfds"))) == TextSource(
        dataset=str(tmp_path / "data.csv"), data_dir=tmp_path / "tfds"
    )
    assert absolute(TextSource(dataset="imdb_reviews")).dataset == "imdb_reviews"
    pairs = absolute(PairSource(source=Path("a.de"), target=Path("a.en")))
    assert (pairs.dataset, pairs.source, pairs.target) == (None, tmp_path / "a.de", tmp_path / "a.en")
    assert absolute(RecordingSource(dataset="spoken_words")).dataset == "spoken_words"
    # It names no set of texts, so it is the file.
    assert absolute(TextSource(dataset="spoken_words")).dataset == str(tmp_path / "spoken_words")


@pytest.mark.parametrize("source", [TextSource(), PairSource(source=Path("a"), target=Path("b")), RecordingSource()])
def test_sources_go_through_json(source):
    assert from_json(type(source), as_json(source), "config.json") == source


def test_a_subclass_is_read_as_its_kind(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Reviews(TextSource):
        pass

    (path := tmp_path / "a.jsonl").write_text('{"text": "x", "label": "a"}\n')
    assert load_splits(Reviews(dataset=str(path)), ["all"])["all"].texts == [b"x"]


def test_a_named_set_of_another_kind_is_refused_by_its_kind():
    with pytest.raises(DataError, match="spoken_words: is a set of recordings; expected one of movie_reviews"):
        load_splits(TextSource(dataset="spoken_words"), ["test"])


def test_every_named_set_has_a_builder_and_sizes():
    for name, found in NAMED_SETS.items():
        module, builder = found.builder
        assert hasattr(importlib.import_module(module), builder), name
        assert list(found.sizes) == ["train", "validation", "test"]
        assert found.description


@pytest.mark.parametrize("splits", [["all", "train"], ["dev"], ["train", ""]])
def test_splits_that_do_not_exist_are_named(tmp_path, splits):
    (path := tmp_path / "a.jsonl").write_text('{"text": "x", "label": "a"}\n')
    with pytest.raises(DataError, match="split"):
        load_splits(TextSource(dataset=str(path)), splits)


def test_the_summary_of_pairs_names_languages_and_bad_pairs():
    rejected = tuple(Rejected(line, "the source is empty", Path("a.de")) for line in range(1, 23))
    splits = [Pairs([b"a"] * 1200, [b"b"] * 1200, "a.de, a.en", split, rejected) for split in ("train", "validation")]
    lines = list(summary(splits))
    assert lines[0] == "a.de, a.en: train 1,200, validation 1,200 pairs"
    assert lines[1] == "skipped 22 bad pairs:"
    assert len(lines) == 23
    assert list(summary([Pairs([b"a"], [b"b"], "dogs", "test", (), ("de", "en"))])) == ["dogs: test 1 pairs; de to en"]
