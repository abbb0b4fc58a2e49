import itertools
import json
import os
import sys

import pandas as pd
import pytest

from rnnapps.datasets import DataError, TextSource, labelled_texts, load_splits, summary
from rnnapps.datasets.labels import natural_order
from tests.datasets.door import texts as load


def pairs(dataset):
    """The examples as (text, class name)."""
    return [(text.decode(), dataset.classes[label]) for text, label in zip(dataset.texts, dataset.labels, strict=True)]


@pytest.fixture
def table(tmp_path):
    """Forty rows with what makes CSV hard: quotes, delimiters, newlines, other scripts, an empty text."""
    texts = [f"text {n}" for n in range(34)] + [
        'say "hi", he said',
        "two\nlines\r\nthree",
        "naïve 電影 🎬",
        "",
        " a ",
        "tab\there",
    ]
    return pd.DataFrame({"text": texts, "label": ["good", "bad"] * 20, "id": range(40)})


def write_csv(frame, folder):
    frame.to_csv(path := folder / "data.csv", index=False)
    return path


def write_tsv(frame, folder):
    frame.to_csv(path := folder / "data.TSV", index=False, sep="\t")
    return path


def write_json_lines(frame, folder):
    frame.to_json(path := folder / "data.jsonl", orient="records", lines=True)
    return path


def write_csv_with_byte_order_mark(frame, folder):
    frame.to_csv(path := folder / "data.csv", index=False, encoding="utf-8-sig", lineterminator="\r\n")
    return path


WRITERS = [write_csv, write_tsv, write_json_lines, write_csv_with_byte_order_mark]


@pytest.mark.parametrize("write", WRITERS)
def test_reads_what_pandas_writes(write, table, tmp_path):
    dataset = load(write(table, tmp_path), "all")
    assert pairs(dataset) == list(zip(table.text, table.label, strict=True))
    assert dataset.classes == ("bad", "good")
    assert dataset.rejected == ()


@pytest.mark.parametrize("write", WRITERS)
def test_splits_are_disjoint_complete_and_stratified(write, table, tmp_path):
    path = write(table, tmp_path)
    splits = {split: load(path, split) for split in ("train", "validation", "test")}
    assert {split: len(dataset) for split, dataset in splits.items()} == {"train": 32, "validation": 4, "test": 4}
    assert sorted(itertools.chain.from_iterable(map(pairs, splits.values()))) == sorted(
        zip(table.text, table.label, strict=True)
    )
    for dataset in splits.values():
        assert pd.Series([label for _, label in pairs(dataset)]).value_counts(normalize=True).eq(0.5).all()


def test_the_seed_alone_decides_the_split(table, tmp_path):
    path = write_csv(table, tmp_path)
    first = pairs(load(path, "train", seed=3))
    assert pairs(load(path, "train", seed=3)) == first
    assert pairs(load(path, "train", seed=4)) != first
    other = tmp_path / "other"
    other.mkdir()
    again = load(write_json_lines(table.iloc[::-1], other), "train", seed=3)
    assert sorted(pairs(again)) == sorted(first)


def test_other_columns_by_name(table, tmp_path):
    path = write_csv(table.rename(columns={"text": "review", "label": "stars"}), tmp_path)
    assert load(path, "all", text_column="review", label_column="stars").labels.size == 40
    with pytest.raises(DataError, match=r"no column 'text'; the columns are 'review', 'stars', 'id'.*--text-column"):
        load(path, "train")
    with pytest.raises(DataError, match=r"no column 'label'.*--label-column"):
        load(path, "train", text_column="review")


def test_json_columns_are_those_of_all_objects(tmp_path):
    (path := tmp_path / "a.jsonl").write_text('{"body": "x", "label": 1}\n{"label": 0}\n')
    with pytest.raises(DataError, match="no column 'text'; the columns are 'body', 'label'"):
        load(path, "train")


def test_bad_csv_rows_are_skipped_and_named_by_line(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_bytes(
        b"text,label\n"
        b"fine,a\n"
        b"\n"
        b'"two\nlines",b\n'
        b"no label\n"
        b"one,two,three\n"
        b"empty, \n"
        b"latin \xe9,a\n"
        b'"quote" after,a\n'
        b",b\n"
        b'"never closed,a\nlast,b\n'
    )
    dataset = load(path, "all")
    assert pairs(dataset) == [("fine", "a"), ("two\nlines", "b"), ("", "b"), ("last", "b")]
    assert [row.line for row in dataset.rejected] == [6, 7, 8, 9, 10, 12]
    assert "1 field where the header has 2" in dataset.rejected[0].reason
    assert "not UTF-8" in dataset.rejected[3].reason
    assert str(dataset.rejected[0]).startswith(f"{path}:6: ")
    with pytest.raises(DataError, match=r"bad\.csv:6: 1 field where"):
        load(path, "all", strict=True)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python's csv module refuses NUL bytes before 3.11")
def test_nul_bytes_are_text(tmp_path):
    (path := tmp_path / "nul.csv").write_bytes(b"text,label\n\x00 within \x00,a\n")
    assert pairs(load(path, "all")) == [("\x00 within \x00", "a")]


def test_bad_json_lines_are_skipped_and_named_by_line(tmp_path):
    path = tmp_path / "bad.ndjson"
    lines = [
        '\ufeff{"text": "fine", "label": "a"}',
        "{",
        "[1]",
        "",
        '{"text": null, "label": "a"}',
        '{"text": 3, "label": "a"}',
        '{"text": "no label"}',
        '{"text": "x", "label": {"a": 1}}',
        '{"text": "lone \\ud800", "label": "a"}',
        '{"text": "", "label": true}',
        '{"text": "nul \\u0000", "label": "a"}',
        "[" * 100_000,
        '{"text": "x", "label": ' + "9" * 10_000 + "}",
    ]
    path.write_bytes("\n".join(lines).encode() + b'\n{"text": "\xff", "label": "a"}\n')
    dataset = load(path, "all")
    assert pairs(dataset) == [("fine", "a"), ("", "true"), ("nul \x00", "a")]
    assert {2, 3, 5, 6, 7, 8, 9, 12, 14} <= {row.line for row in dataset.rejected}


def test_huge_fields_are_read(tmp_path):
    words = "word " * 200_000
    path = write_csv(pd.DataFrame({"text": [words, "b"], "label": [0, 1]}), tmp_path)
    assert pairs(load(path, "all"))[0] == (words, "0")


@pytest.mark.parametrize(
    "labels, classes",
    [
        (["10", "9", "2", "-1"], ("-1", "2", "9", "10")),
        (["1.5", "1", "10"], ("1", "1.5", "10")),
        (["star 10", "star 9"], ("star 9", "star 10")),
        (["b", "A", "a"], ("A", "a", "b")),
        (["3", "many", "20"], ("3", "20", "many")),
    ],
)
def test_classes_sort_naturally(labels, classes):
    assert natural_order(labels) == classes


def test_number_labels_are_ordered_by_value_in_a_file(tmp_path):
    frame = pd.DataFrame({"text": [str(n) for n in range(30)], "label": [1, 2, 10] * 10})
    assert load(write_csv(frame, tmp_path), "train").classes == ("1", "2", "10")
    frame.label = frame.label.astype(float)
    frame.to_json(path := tmp_path / "floats.json", orient="records", lines=True)
    assert load(path, "train").classes == ("1", "2", "10")


def class_folders(folder, counts):
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            (folder / name / f"{number}.txt").write_text(f"{folder.name} {name} {number} ü", encoding="utf-8")
    return folder


def test_a_folder_per_class(tmp_path):
    class_folders(tmp_path / "data", {"pos": 20, "neg": 20, ".git": 1})
    (tmp_path / "data" / "pos" / "notes.md").write_text("not a document")
    (tmp_path / "data" / "neg" / "latin.txt").write_bytes(b"\xe9")
    dataset = load(tmp_path / "data", "train")
    assert dataset.classes == ("neg", "pos")
    assert len(dataset) == 32
    assert [row.path.name for row in dataset.rejected] == ["latin.txt"]
    assert all(f" {label} " in text for text, label in pairs(dataset))
    with pytest.raises(DataError, match=r"latin\.txt: not UTF-8"):
        load(tmp_path / "data", "train", strict=True)


def test_split_folders_are_honoured_and_what_lacks_is_carved_off_train(tmp_path):
    class_folders(tmp_path / "train", {"pos": 30, "neg": 10})
    class_folders(tmp_path / "test", {"pos": 3, "neg": 2})
    test, validation, train = (load(tmp_path, split) for split in ("test", "validation", "train"))
    assert sorted(text.split()[0] for text, _ in pairs(test)) == ["test"] * 5
    assert pd.Series([label for _, label in pairs(validation)]).value_counts().to_dict() == {"pos": 3, "neg": 1}
    assert not set(pairs(validation)) & set(pairs(train))
    assert len(validation) + len(train) == 40


def test_a_folder_with_a_file_for_each_part(table, tmp_path):
    for name, rows in (("train", table[:30]), ("dev", table[30:36]), ("test", table[36:])):
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
    assert [len(load(tmp_path, split)) for split in ("train", "validation", "test", "all")] == [30, 6, 4, 40]
    (tmp_path / "validation.tsv").write_text("")
    with pytest.raises(DataError, match=r"dev\.csv and validation\.tsv both name the validation part"):
        load(tmp_path, "train")


def test_a_split_column_is_honoured(table, tmp_path):
    table["split"] = ["train"] * 30 + ["val"] * 4 + ["test"] * 4 + ["holdout", ""]
    dataset = load(write_csv(table, tmp_path), "validation")
    assert pairs(dataset) == list(zip(table.text[30:34], table.label[30:34], strict=True))
    assert [row.line for row in dataset.rejected] == [42]  # two lines more for the newlines in a text
    assert len(load(tmp_path / "data.csv", "train")) == 31  # with the row that names no split


def test_a_class_that_only_the_test_has_is_named(tmp_path):
    class_folders(tmp_path / "train", {"pos": 5, "neg": 5})
    class_folders(tmp_path / "test", {"pos": 2, "odd": 2})
    with pytest.raises(DataError, match="test split has classes that the train split lacks: 'odd'"):
        load(tmp_path, "train")


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("empty.csv", b"", "empty"),
        ("header.csv", b"text,label\n", "empty"),
        ("columns.csv", b"a,b\n", "no column 'text'"),
        ("one.csv", b"text,label\n" + b"x,a\n" * 10, "has the class 'a'"),
        ("rejected.csv", b"text,label\nx\ny\n", "all 2 rows are bad, the first: .*rejected.csv:2"),
        ("utf16.csv", "text,label\nx,a\n".encode("utf-16"), "UTF-16"),
        ("sheet.xlsx", b"PK", "end in .csv, .tsv"),
        ("header_quote.csv", b'"text,label\nx,a\n', "header cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_gives_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message) as error:
        load(tmp_path / name, "train")
    assert "\n" not in str(error.value)


def test_too_few_examples_for_a_split_are_said_to_be_too_few(tmp_path):
    (path := tmp_path / "two.csv").write_text("text,label\nx,a\ny,b\n")
    with pytest.raises(DataError, match="test split is empty: 2 examples are too few"):
        load(path, "test")
    assert len(load(path, "train")) == 2


def test_a_folder_without_documents_says_which_layouts_there_are(tmp_path):
    with pytest.raises(DataError, match="one folder per class"):
        load(tmp_path, "train")
    class_folders(tmp_path / "test", {"pos": 1})
    with pytest.raises(DataError, match="a test part but no train part"):
        load(tmp_path, "test")


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    (path := tmp_path / "secret.csv").write_text("text,label\n")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(DataError, match=r"secret.csv: cannot be read: Permission denied"):
        load(path, "train")


@pytest.mark.parametrize("split", ["dev", "", "training"])
def test_an_unknown_split_lists_the_splits(tmp_path, split):
    with pytest.raises(DataError, match="one of train, validation, test"):
        load(tmp_path, split)


def test_one_class_alone_may_be_evaluated(tmp_path):
    (path := tmp_path / "one.jsonl").write_text(json.dumps({"text": "x", "label": "a"}))
    assert pairs(load(path, "all")) == [("x", "a")]


@pytest.mark.parametrize("label", ["NaN", "Infinity", "-Infinity", '"nan"', '"inf"'])
def test_a_number_that_is_none_is_no_label(tmp_path, label):
    (path := tmp_path / "nan.jsonl").write_text(
        f'{{"text": "Good", "label": {label}}}\n' + '{"text": "Bad", "label": 0}\n{"text": "Fine", "label": 1.0}\n'
    )
    dataset = load(path, "all")
    assert dataset.classes == ("0", "1")
    assert [row.line for row in dataset.rejected] == [1]
    assert "'label' must be a word or a number, got " in dataset.rejected[0].reason


def test_one_class_says_what_was_rejected(tmp_path):
    (path := tmp_path / "one.csv").write_text("text,label\nfine,a\nalso fine,a\nbad row\nworse,row,b\n")
    with pytest.raises(DataError) as error:
        load(path, "train")
    assert str(error.value) == (
        f"{path}: every example has the class 'a'; a classifier needs two (2 rows were rejected, the first:"
        f" {path}:4: 1 field where the header has 2)"
    )


def test_what_looks_suspicious_is_a_line_of_the_summary(tmp_path):
    rows = [
        ("neg", "pos")[number % 2] + "\t" + '"' * (number == 9) + f"text {number}" + '"' * (number == 20)
        for number in range(40)
    ]
    (path := tmp_path / "swallow.tsv").write_text("\n".join(["label\ttext", *rows]) + "\n")
    dataset = load(path, "all")
    assert len(dataset) == 29
    lines = list(summary([dataset]))
    assert lines[0] == f"{path}: all 29; classes neg (14), pos (15)"
    assert lines[1].startswith(
        f"warning: {path}: lines 11 to 22 are one row: a quoted field holds lines that look like"
    )
    assert len(load(path, "all", quoting="none")) == 40


def test_the_summary_names_bad_rows_once(tmp_path):
    good = [f"text {number},{'ab'[number % 2]}" for number in range(30)]
    (path := tmp_path / "a.csv").write_text("\n".join(["text,label", *good, *["bad"] * 22]))
    lines = list(summary(load_splits(TextSource(dataset=str(path))).values()))
    assert lines[0] == f"{path}: train 24, validation 3, test 3; classes a (12), b (12)"
    assert lines[1] == "skipped 22 bad rows:"
    assert lines[2] == f"  {path}:32: 1 field where the header has 2"
    assert lines[-1] == "  and 2 more; with --strict, the first is an error"
    assert len(lines) == 23


def test_a_file_is_read_once_for_all_splits(table, tmp_path, monkeypatch):
    path, opened = write_csv(table, tmp_path), []
    original = labelled_texts.open_rows
    monkeypatch.setattr(
        labelled_texts, "open_rows", lambda *args, **kwargs: opened.append(args) or original(*args, **kwargs)
    )
    splits = load_splits(TextSource(dataset=str(path)))
    assert list(splits) == ["train", "validation", "test"] and len(opened) == 1
    assert {name: pairs(split) for name, split in splits.items()} == {name: pairs(load(path, name)) for name in splits}


def test_classes_of_a_model_give_their_numbers(tmp_path):
    (path := tmp_path / "a.csv").write_text("text,label\nx,b\ny,c\n")
    dataset = load(path, "all").with_classes(["c", "a", "b"])
    assert (dataset.labels.tolist(), dataset.classes) == ([2, 0], ("c", "a", "b"))
    with pytest.raises(DataError, match=r"label 'b' is not one of the model's classes \(c, a\)"):
        load(path, "all").with_classes(("c", "a"))


def test_what_is_no_file_in_a_folder_of_a_class_is_rejected(tmp_path):
    class_folders(tmp_path, {"pos": 20, "neg": 20})
    os.mkfifo(tmp_path / "pos" / "pipe.txt")
    (tmp_path / "neg" / "loop.txt").symlink_to("loop.txt")
    rejected = {row.path.name for row in load(tmp_path, "all").rejected}
    assert rejected == {"pipe.txt", "loop.txt"}


def test_the_name_of_a_class_is_utf8(tmp_path):
    class_folders(tmp_path, {"pos": 2, "neg": 2})
    (tmp_path / "neg").rename(tmp_path / os.fsdecode(b"n\xff"))
    with pytest.raises(DataError, match="the name of this folder is not UTF-8; rename it"):
        load(tmp_path, "all")
