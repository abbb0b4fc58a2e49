"""Classes: their names and order, the folders that stand for them, and what `summary` says of them."""

import os

import numpy as np
import pytest

from rnnapps.datasets import DataError, TextSource, load_splits, summary
from rnnapps.datasets.clip_lists import list_clip_folder
from rnnapps.datasets.labels import class_warnings, natural_order
from rnnapps.datasets.recording_lists import list_folder as list_recordings
from rnnapps.files import visible_files


@pytest.mark.parametrize(
    ("classes", "labels", "lines"),
    [
        (("a", "b"), [0, 0, 1, 1], []),
        (("a", "b"), [0, 0, 1], ["warning: a single example to train on for class 'b'"]),
        (
            ("Pos", "neg", "pos"),
            [0, 0, 1, 1, 2, 2],
            ["warning: the classes 'Pos' and 'pos' differ only in upper and lower case"],
        ),
        (
            tuple("abcdefg"),
            range(7),
            ["warning: a single example to train on for classes 'a', 'b', 'c', 'd', 'e' and 2 more"],
        ),
    ],
)
def test_classes_that_look_like_mistakes_are_named(classes, labels, lines):
    assert list(class_warnings(classes, np.array(labels, np.int64))) == lines


def test_only_training_examples_are_looked_at(tmp_path):
    labels = ["good", "bad"] * 20 + ["Good"] * 12
    (path := tmp_path / "a.csv").write_text("text,label\n" + "".join(f"text {n},{x}\n" for n, x in enumerate(labels)))
    splits = load_splits(TextSource(dataset=str(path)))
    assert any("'good' and 'Good'" in line or "'Good' and 'good'" in line for line in summary(splits.values()))
    assert not any("warning" in line for line in summary([splits["test"]]))


def test_labels_may_hold_digits_that_are_no_numbers():
    assert natural_order(["m²", "10²", "9²"]) == ("9²", "10²", "m²")


def test_hidden_files_are_no_data(tmp_path):
    for name in ("bad", "good"):
        (folder := tmp_path / name).mkdir()
        (folder / "._1.txt").write_bytes(b"\0\5\x16\7")  # as macOS leaves beside files on other disks
        (folder / ".trash").mkdir()
        (folder / ".trash" / "old.txt").write_text("old")
        (folder / "1.txt").write_text(name)
        (folder / "folder.txt").mkdir()
    texts = load_splits(TextSource(dataset=str(tmp_path)), ["all"])["all"]
    assert texts.texts == [b"bad", b"good"] and not texts.rejected
    assert (
        visible_files(tmp_path)
        == visible_files(tmp_path, [".txt"])
        == [tmp_path / "bad/1.txt", tmp_path / "good/1.txt"]
    )


@pytest.mark.parametrize("list_folder", [list_recordings, lambda folder: list_clip_folder(folder, None)])
def test_a_class_whose_name_is_not_utf_8_is_refused(tmp_path, list_folder):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("the file system takes only UTF-8")
    for suffix in (".wav", ".mp4"):
        (folder / f"1{suffix}").write_bytes(b"")
    with pytest.raises(DataError, match="the name of this folder is not UTF-8; rename it"):
        list_folder(tmp_path)
