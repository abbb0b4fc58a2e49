"""One's own labelled texts: a file, a file for each part, or a folder per class with a .txt file for each document."""

import pathlib
import re
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from rnnapps.datasets.dataset import DataError, Dataset, Rejected
from rnnapps.datasets.splits import SPLITS, divide, tenth, text_hash
from rnnapps.datasets.tables import SPLIT_NAMES, SUFFIXES, Rows, read_table


def load_own_data(
    path: pathlib.Path, split: str, *, name: str, seed: int, strict: bool, text_column: str, label_column: str
) -> Dataset:
    """Loads one split of somebody's own data; see `rnnapps.datasets.load` for the layouts and arguments.

    Raises:
      DataError: nothing usable under `path`, or a bad row with `strict`.
    """
    rows = _read(path, strict=strict, text_column=text_column, label_column=label_column)
    if not rows.texts:
        why = f"all {len(rows.rejected)} rows are bad, the first: {rows.rejected[0]}" if rows.rejected else "no rows"
        raise DataError(f"{path}: the data set is empty ({why})")
    classes = natural_order(set(rows.labels))
    number = {label: index for index, label in enumerate(classes)}
    labels = np.array([number[label] for label in rows.labels], np.int64)
    if split == "all":
        chosen = np.arange(len(labels))
    else:
        parts = _parts(rows, labels, seed)
        _check_classes(path, classes, labels, parts)
        chosen = np.flatnonzero(parts == SPLITS.index(split))
        if not len(chosen):
            raise DataError(f"{path}: the {split} split is empty: {len(labels)} examples are too few to divide")
    texts = [rows.texts[index] for index in chosen]
    examples = tf.data.Dataset.from_tensor_slices(
        (tf.constant(texts, tf.string), tf.constant(labels[chosen], tf.int64))
    )
    return Dataset(examples, classes, len(texts), name, split, path, tuple(rows.rejected))


def natural_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Sorts labels as a person would: numbers by value, and words with the numbers inside them by value.

    Example:
      >>> natural_order(["10", "9", "-1"]), natural_order(["grade 10", "grade 9"])
      (('-1', '9', '10'), ('grade 9', 'grade 10'))
    """
    labels = sorted(labels)
    if all(re.fullmatch(r"[+-]?\d+(\.\d+)?", label) for label in labels):
        return tuple(sorted(labels, key=float))
    words = re.compile(r"(\d+)")

    def pieces(label: str) -> list:
        return [int(piece) if piece.isdigit() else piece.casefold() for piece in words.split(label)]

    return tuple(sorted(labels, key=pieces))


def _read(path: pathlib.Path, *, strict: bool, text_column: str, label_column: str) -> Rows:
    def read_part(part: pathlib.Path) -> Rows:
        if part.is_dir():
            return _read_class_folders(part, strict=strict)
        return read_table(part, text_column=text_column, label_column=label_column, strict=strict)

    if not path.is_dir():
        return read_part(path)
    try:
        parts = _part_paths(path)
        if not parts:
            return _read_class_folders(path, strict=strict)
        if "train" not in parts:
            raise DataError(f"{path}: there is a {' and a '.join(parts)} part but no train part")
        every = Rows()
        for split, part in parts.items():
            rows = read_part(part)
            every.texts += rows.texts
            every.labels += rows.labels
            every.splits += [split] * len(rows.texts)
            every.rejected += rows.rejected
        return every
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read: {error.strerror or error}") from error


def _part_paths(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """The folders or files called train, validation and test (or another usual name of these) in a folder."""
    parts = {}
    for entry in sorted(folder.iterdir()):
        name = entry.name if entry.is_dir() else entry.stem if entry.suffix.lower() in SUFFIXES else ""
        split = SPLIT_NAMES.get(name.lower())
        if split in parts:
            raise DataError(f"{folder}: {parts[split].name} and {entry.name} both name the {split} part; keep one")
        if split:
            parts[split] = entry
    return parts


def _read_class_folders(folder: pathlib.Path, *, strict: bool) -> Rows:
    rows = Rows()
    for class_folder in sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    ):
        for file in sorted(class_folder.rglob("*.txt")):
            try:
                text = file.read_bytes().decode("utf-8-sig").encode()
            except (OSError, UnicodeDecodeError) as error:
                reason = "not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error.strerror}"
                rejected = Rejected(None, reason, file)
                if strict:
                    raise DataError(str(rejected)) from None
                rows.rejected.append(rejected)
            else:
                rows.texts.append(text)
                rows.labels.append(class_folder.name)
                rows.splits.append(None)
    if not rows.texts and not rows.rejected:
        raise DataError(
            f"{folder}: no documents; a data folder holds one folder per class with .txt files in it,"
            f" or files called train and test that end in {', '.join(SUFFIXES)}"
        )
    return rows


def _parts(rows: Rows, labels: np.ndarray, seed: int) -> np.ndarray:
    """The part of each row, an index into `SPLITS`: as the data say, and a tenth of train for a part they lack."""
    parts = np.array([SPLITS.index(split or "train") for split in rows.splits])
    given = set(rows.splits)
    train = np.flatnonzero(parts == SPLITS.index("train"))
    carved = {split: 0 if split in given else tenth(len(train)) for split in ("validation", "test")}
    hashes = [text_hash(rows.texts[index], seed) for index in train]
    parts[train] = divide(hashes, labels[train], **carved)
    return parts


def _check_classes(path: pathlib.Path, classes: tuple[str, ...], labels: np.ndarray, parts: np.ndarray) -> None:
    in_train = set(labels[parts == SPLITS.index("train")].tolist())
    if not in_train:
        raise DataError(f"{path}: the train split is empty")
    for split in ("validation", "test"):
        extra = sorted(set(labels[parts == SPLITS.index(split)].tolist()) - in_train)
        if extra:
            names = ", ".join(repr(classes[label]) for label in extra[:5])
            raise DataError(f"{path}: the {split} split has classes that the train split has not: {names}")
    if len(in_train) == 1:
        raise DataError(f"{path}: every example is of one class, {classes[min(in_train)]!r}; a classifier needs two")
