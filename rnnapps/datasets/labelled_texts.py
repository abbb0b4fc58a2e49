"""Labelled texts of your own.

The layouts: a `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.json` file (see `rnnapps.datasets.rows`); a folder with one
folder for each class and `.txt` files in it; or a folder that holds either of these for each split under the names
`train`, `validation` and `test`. A column named `split` is honoured. An empty text is valid; a row with an empty label
is bad. Labels may be words or numbers; classes are numbered in natural order, numbers by value.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.datasets.examples import LabelledTexts
from rnnapps.datasets.labels import check_several_classes, class_of, label_of, natural_order, value_of
from rnnapps.datasets.lines import foreign_byte
from rnnapps.datasets.manifests import warning_notes
from rnnapps.datasets.rejected import DataError, Rejected, first_of
from rnnapps.datasets.rows import SUFFIXES, open_rows
from rnnapps.datasets.sources import TextSource
from rnnapps.datasets.splits import SPLITS, hold_out, part_paths, places_of, split_of
from rnnapps.files import visible_files


@dataclasses.dataclass
class _Read:
    """What was read: a text, a label and a split (None where the data do not say) for each example."""

    texts: list[bytes] = dataclasses.field(default_factory=list)
    labels: list[str] = dataclasses.field(default_factory=list)
    splits: list[str | None] = dataclasses.field(default_factory=list)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)
    notes: list[str] = dataclasses.field(default_factory=list)

    def add(self, text: bytes, label: str, split: str | None) -> None:
        self.texts.append(text)
        self.labels.append(label)
        self.splits.append(split)

    def reject(self, line: int | None, reason: str, path: Path, strict: bool) -> None:
        bad = Rejected(line, reason, path)
        if strict:
            raise DataError(str(bad))
        self.rejected.append(bad)


def read_texts(path: Path, source: TextSource, splits: Sequence[str]) -> dict[str, LabelledTexts]:
    """Reads your own labelled texts, and divides them.

    Args:
        path: The file or folder.
        source: How to read it.
        splits: The splits wanted, or "all".

    Raises:
        DataError: There is nothing usable, a split is empty, or (with `source.strict`) a row is bad.
    """
    found = _read(path, source)
    if not found.texts:
        rejected = found.rejected
        why = f"all {len(rejected)} rows are bad, the first: {rejected[0]}" if rejected else "no rows"
        raise DataError(f"{path}: the data set is empty ({why})")
    if empty := sum(not text.strip() for text in found.texts):
        found.notes.append(f"{empty:,} {'text is' if empty == 1 else 'texts are'} empty")
    classes = natural_order(set(found.labels))
    number = {label: index for index, label in enumerate(classes)}
    labels = np.array([number[label] for label in found.labels], np.int64)
    parts = None
    if any(split != "all" for split in splits):
        parts = _parts(found, labels, source.seed)
        _check_classes(path, classes, labels, parts, found.rejected)
    made = {}
    for split in splits:
        chosen = places_of(split, parts, len(labels), path, ("example", "examples"))
        texts = [found.texts[index] for index in chosen]
        skipped, notes = tuple(found.rejected), tuple(found.notes)
        made[split] = LabelledTexts(texts, labels[chosen], classes, source.dataset, split, skipped, notes)
    return made


def _read(path: Path, source: TextSource) -> _Read:
    found = _Read()
    try:
        parts = _part_paths(path) if path.is_dir() else {}
        if parts and "train" not in parts:
            given = " and a ".join(parts)
            raise DataError(f"{path}: there is a {given} part but no train part")
        named: list[tuple[str | None, Path]] = [*parts.items()] if parts else [(None, path)]
        for split, part in named:
            if part.is_dir():
                _read_class_folders(part, source, split, found)
            else:
                _read_file(part, source, split, found)
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read: {error.strerror or error}") from error
    return found


def _part_paths(folder: Path) -> dict[str, Path]:
    """The folders or files called train, validation and test (or another usual name of these) in a folder."""
    entries = [entry for entry in sorted(folder.iterdir()) if entry.is_dir() or entry.suffix.lower() in SUFFIXES]
    return part_paths(folder, ((entry.name if entry.is_dir() else entry.stem, entry) for entry in entries))


def _read_file(path: Path, source: TextSource, split: str | None, found: _Read) -> None:
    """Adds the rows of a file; `split` is that of the whole file, if it has one."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"{path}: the name of a file with labelled texts must end in {', '.join(SUFFIXES)}, got {suffix!r}"
        )
    columns = source.text_column, source.label_column
    options = {source.label_column: "--label-column", source.text_column: "--text-column"}
    warnings = []
    for row in open_rows(path, columns, options, quoting=source.quoting).after():
        try:
            if row.values is None:
                raise ValueError(row.problem)
            text, label = _text(row.values, source.text_column), label_of(row.values, source.label_column)
            own = split or split_of(row.values)
        except UnicodeEncodeError:
            found.reject(row.line, "not UTF-8", path, source.strict)
        except ValueError as error:
            found.reject(row.line, str(error), path, source.strict)
        else:
            found.add(text, label, own)
            warnings += [row.warning] if row.warning else []
    found.notes += warning_notes(path, warnings)


def _text(row: dict[str, Any], column: str) -> bytes:
    value = value_of(row, column)
    if not isinstance(value, str):
        raise ValueError(f"{column!r} is not a string")
    return value.encode()


def _read_class_folders(folder: Path, source: TextSource, split: str | None, found: _Read) -> None:
    documents = 0
    for class_folder in sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    ):
        label = class_of(class_folder)
        for file in visible_files(class_folder, [".txt"]):
            documents += 1
            if not file.is_file() and file.exists():
                found.reject(None, "not a file", file, source.strict)
                continue
            try:
                text = file.read_bytes().decode("utf-8-sig").encode()
            except UnicodeDecodeError as error:
                found.reject(None, f"not UTF-8 ({foreign_byte(error)})", file, source.strict)
            except OSError as error:
                found.reject(None, f"cannot be read: {error.strerror}", file, source.strict)
            else:
                found.add(text, label, split)
    if not documents:
        raise DataError(
            f"{folder}: no documents; a data folder holds one folder per class with .txt files in it,"
            f" or files called train and test that end in {', '.join(SUFFIXES)}"
        )


def _parts(found: _Read, labels: np.ndarray, seed: int) -> np.ndarray:
    """The split of each example, an index into `SPLITS`: as the data say; what they lack is held out from train."""
    parts = np.array([SPLITS.index(split or "train") for split in found.splits])
    missing = [split for split in SPLITS if split not in found.splits]
    train = np.flatnonzero(parts == SPLITS.index("train"))
    parts[train] = hold_out([found.texts[index] for index in train], labels[train], missing, seed)
    return parts


def _check_classes(
    path: Path, classes: tuple[str, ...], labels: np.ndarray, parts: np.ndarray, rejected: list[Rejected]
) -> None:
    in_train = set(labels[parts == SPLITS.index("train")].tolist())
    if not in_train:
        raise DataError(f"{path}: the train split is empty{first_of(rejected, 'row', 'rows')}")
    for split in ("validation", "test"):
        extra = sorted(set(labels[parts == SPLITS.index(split)].tolist()) - in_train)
        if extra:
            names = ", ".join(repr(classes[label]) for label in extra[:5])
            raise DataError(f"{path}: the {split} split has classes that the train split lacks: {names}")
    check_several_classes(path, [classes[label] for label in in_train], "example", rejected, ("row", "rows"))
