"""One's own labelled recordings: a folder per class or a CSV manifest, divided without tearing speakers apart."""

import csv
import os
import pathlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from rnnapps.datasets.dataset import DataError, Rejected
from rnnapps.datasets.own_data import natural_order
from rnnapps.datasets.splits import SPLITS, divide, tenth, text_hash
from rnnapps.datasets.tables import DELIMITERS, SPLIT_NAMES
from rnnapps.errors import UserError


@dataclass(frozen=True)
class Clips:
    """One split of a set of labelled recordings, in memory.

    Attributes:
      waveforms: mono samples, int16 (samples,) each.
      labels: the class of each, int64 (clips,).
      classes: names of the classes, in the order of their numbers.
      sources: where each comes from: a file, or its number in the split.
      name: the data set as it was asked for.
      split: "train", "validation", "test" or "all".
      rejected: the files that were skipped.
    """

    waveforms: list[np.ndarray]
    labels: np.ndarray
    classes: tuple[str, ...]
    sources: tuple[str, ...]
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()


@dataclass(frozen=True)
class _Recording:
    path: pathlib.Path
    name: str  # the path below the folder of the data, with forward slashes
    label: str
    split: str | None = None
    speaker: str | None = None


def load_recordings(
    path: pathlib.Path,
    split: str,
    *,
    read: Callable[[pathlib.Path], np.ndarray],
    name: str,
    seed: int = 0,
    strict: bool = False,
    split_by: str | None = None,
    test_files: str | None = None,
) -> Clips:
    """Loads one split of somebody's own recordings.

    `path` is a folder with one folder per class; a folder that holds such folders as `train`, `validation` and `test`;
    or a `.csv` or `.tsv` manifest with the columns `path` (relative to the manifest) and `label`, and if wanted `split`
    and `speaker`. A validation or test part that the data do not name is carved off the rest: a tenth, fixed by the
    seed; stratified, or where speakers are known in whole speakers.

    Args:
      path: what to load.
      split: "train", "validation", "test" or "all".
      read: decodes a file to float samples from -1 to 1; raises `UserError` for one that it cannot.
      name: what to call the data set.
      seed: fixes what is carved off.
      strict: whether a bad file is an error rather than skipped and noted in `Clips.rejected`.
      split_by: a regular expression searched in the path below the data's folder; files with the same group 1 (or the
        same match, if it has no group) stay in one split.
      test_files: a regular expression; the files whose path it is found in are the test split.

    Raises:
      DataError: nothing usable under `path`, a pattern that does not fit, or a bad file with `strict`.
    """
    listed, rejected = _manifest(path) if path.is_file() else _folder(path)
    if rejected and strict:
        raise DataError(str(rejected[0]))
    if not listed:
        why = f"the first problem: {rejected[0]}" if rejected else "one folder per class with recordings is expected"
        raise DataError(f"{path}: no recordings ({why})")
    classes = natural_order({recording.label for recording in listed})
    if len(classes) < 2:
        raise DataError(f"{path}: every recording is of one class, {classes[0]!r}; a classifier needs two")
    labels = np.array([classes.index(recording.label) for recording in listed], np.int64)
    chosen = np.arange(len(listed))
    if split != "all":
        parts = _parts(path, listed, labels, seed, split_by, test_files)
        chosen = np.flatnonzero(parts == SPLITS.index(split))
        if not len(chosen):
            raise DataError(f"{path}: the {split} split is empty: {len(listed)} recordings are too few to divide")
    waveforms, good = [], []
    for index in chosen:
        try:
            waveforms.append(_int16(read(listed[index].path)))
            good.append(index)
        except UserError as error:
            if strict:
                raise DataError(str(error)) from None
            reason = str(error).removeprefix(f"{listed[index].path}: ")
            rejected.append(Rejected(None, reason, listed[index].path))
    if not good:
        raise DataError(f"{path}: none of the {len(chosen)} recordings of the {split} split can be used: {rejected[0]}")
    sources = tuple(str(listed[index].path) for index in good)
    return Clips(waveforms, labels[good], classes, sources, name, split, tuple(rejected))


def _int16(samples: np.ndarray) -> np.ndarray:
    return np.round(np.clip(samples, -1, 1) * (2**15 - 1)).astype(np.int16)


def _folder(folder: pathlib.Path) -> tuple[list[_Recording], list[Rejected]]:
    inside = _visible_folders(folder)
    parts = [(SPLIT_NAMES[entry.name.lower()], entry) for entry in inside if entry.name.lower() in SPLIT_NAMES]
    if not any(split == "train" for split, _ in parts):
        parts = [(None, folder)]
    return [
        _Recording(file, file.relative_to(folder).as_posix(), class_folder.name, split)
        for split, part in parts
        for class_folder in _visible_folders(part)
        for file in sorted(class_folder.rglob("*"))
        if file.is_file() and not file.name.startswith(".")
    ], []


def _visible_folders(folder: pathlib.Path) -> list[pathlib.Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from None


def _manifest(path: pathlib.Path) -> tuple[list[_Recording], list[Rejected]]:
    if path.suffix.lower() not in DELIMITERS:
        raise DataError(f"{path}: a manifest of recordings is a .csv or .tsv file; one recording alone is no data set")
    listed, rejected, lines = [], [], {}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=DELIMITERS[path.suffix.lower()], strict=True)
            if not {"path", "label"} <= set(reader.fieldnames or ()):
                found = ", ".join(reader.fieldnames or ()) or "none"
                raise DataError(
                    f"{path}: the header must name path and label (split and speaker if wanted), not {found}"
                )
            for row in reader:
                row = {column: (row[column] or "").strip() for column in reader.fieldnames}
                split = row.get("split", "").lower()
                if split and split not in SPLIT_NAMES:
                    reason = f"'split' is {split[:40]!r}, not one of {', '.join(SPLITS)}"
                    rejected.append(Rejected(reader.line_num, reason, path))
                elif not row["path"] or not row["label"]:
                    rejected.append(Rejected(reader.line_num, "path or label is empty", path))
                elif (first := lines.setdefault(os.path.normpath(row["path"]), reader.line_num)) != reader.line_num:
                    rejected.append(Rejected(reader.line_num, f"{row['path']} stands in line {first} already", path))
                else:
                    name, speaker = row["path"].replace(os.sep, "/"), row.get("speaker") or None
                    split = SPLIT_NAMES.get(split)
                    listed.append(_Recording(path.parent / row["path"], name, row["label"], split, speaker))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 CSV: {error}") from None
    return listed, rejected


def _parts(path, listed, labels, seed, split_by, test_files) -> np.ndarray:
    """The part of each recording, an index into `SPLITS`."""
    splits = [recording.split for recording in listed]
    if test_files is not None:
        pattern = _pattern("--test-files", test_files)
        splits = ["test" if pattern.search(r.name) else r.split for r in listed]
        if "test" not in splits:
            raise DataError(f"--test-files {test_files!r} is found in no path below {path}, such as {listed[0].name!r}")
    parts = np.array([SPLITS.index(split or "train") for split in splits])
    train = np.flatnonzero(parts == SPLITS.index("train"))
    if not len(train):
        raise DataError(f"{path}: nothing is left to train on")
    missing = [split for split in ("test", "validation") if split not in splits]
    groups = _groups(path, listed, split_by)
    if groups is None:
        hashes = [text_hash(listed[index].name.encode(), seed) for index in train]
        wanted = {split: tenth(len(train)) if split in missing else 0 for split in ("validation", "test")}
        parts[train] = divide(hashes, labels[train], **wanted)
        return parts
    members = {}
    for index in train:
        members.setdefault(groups[index], []).append(index)
    waiting = sorted(members, key=lambda group: text_hash(group.encode(), seed))
    if len(waiting) <= len(missing):
        raise DataError(
            f"{path}: {len(waiting)} groups ({', '.join(waiting)}) cannot make train, {' and '.join(missing)} splits;"
            " widen --split-by, or leave it out"
        )
    for split in missing:
        size = 0
        # Whole groups until the tenth is reached, but never the last ones: the splits to come need one each.
        while size < tenth(len(train)) and len(waiting) > len(missing) - missing.index(split):
            group = waiting.pop(0)
            parts[members[group]] = SPLITS.index(split)
            size += len(members[group])
    return parts


def _groups(path, listed, split_by) -> list[str] | None:
    if split_by is None:
        return [r.speaker or r.name for r in listed] if any(r.speaker for r in listed) else None
    pattern = _pattern("--split-by", split_by)
    groups = []
    for recording in listed:
        found = pattern.search(recording.name)
        if found is None:
            raise DataError(f"--split-by {split_by!r} is not found in {recording.name!r} (below {path})")
        groups.append(found[1] if pattern.groups else found[0])
    return groups


def _pattern(option: str, text: str) -> re.Pattern:
    try:
        return re.compile(text)
    except re.error as error:
        raise DataError(f"{option} {text!r} is not a regular expression: {error}") from None
