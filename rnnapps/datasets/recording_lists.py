"""Which recordings a data set names, before any is read: by folders, by lists, or by a manifest."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rnnapps.audio.suffixes import SUFFIXES as AUDIO_SUFFIXES
from rnnapps.datasets.labels import class_of, label_of
from rnnapps.datasets.manifests import new_name, read_manifest
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.rows import open_rows
from rnnapps.datasets.splits import SPLIT_NAMES, SPLITS, split_of
from rnnapps.files import visible_files

_NOISE = re.compile(r"_?background_?noise_?", re.IGNORECASE)
_LIST = re.compile(r"(\w+)_list", re.IGNORECASE)


@dataclass(frozen=True)
class Listed:
    """A recording that the data name.

    Attributes:
        path: The file.
        name: Its path below the folder of the data, with forward slashes.
        label: Its label.
        split: "train", "validation" or "test"; None where the data do not say.
        speaker: Who speaks; None where the data do not say.
    """

    path: Path
    name: str
    label: str
    split: str | None = None
    speaker: str | None = None


@dataclass
class Listing:
    """What a data set names.

    Attributes:
        recordings: The labelled recordings.
        noise: Files of background noise.
        rejected: Rows of a manifest that cannot be used.
        notes: Remarks for the summary.
    """

    recordings: list[Listed] = field(default_factory=list)
    noise: list[Path] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_folder(folder: Path) -> Listing:
    """The recordings in a folder with one folder for each class, or with such folders for each split.

    Files whose names do not end as those of recordings do are ignored. A folder `_background_noise_` is not a class.
    Files called `validation_list.txt` and `testing_list.txt` name the recordings of these splits, as in the archive of
    Speech Commands.

    Raises:
        DataError: The folder cannot be read.
    """
    listing = Listing()
    ignored: Counter[str] = Counter()
    for split, class_folder in class_folders(folder):
        for file in visible_files(class_folder):
            if file.suffix.lower() not in AUDIO_SUFFIXES:
                ignored[file.suffix.lower() or "no suffix"] += 1
            elif _NOISE.fullmatch(class_folder.name):
                listing.noise.append(file)
            else:
                name = file.relative_to(folder).as_posix()
                listing.recordings.append(Listed(file, name, class_of(class_folder), split))
    if ignored:
        count = sum(ignored.values())
        what = "1 file that is not a recording" if count == 1 else f"{count:,} files that are not recordings"
        listing.notes.append(f"ignored {what} ({', '.join(sorted(ignored))})")
    _follow_lists(folder, listing)
    return listing


def list_manifest(path: Path) -> Listing:
    """The recordings that a table names in the columns `path` (relative to the table) and `label`.

    Columns `split` and `speaker` are honoured.

    Raises:
        DataError: The table cannot be read, or lacks a column.
    """
    listing = Listing()
    lines: dict[tuple[str, ...], int] = {}

    def use(row: Mapping[str, Any], line: int) -> None:
        label, split = label_of(row, "label"), split_of(row)
        name = new_name(row, line, lines)
        speaker = str(row.get("speaker") or "").strip() or None
        listing.recordings.append(Listed(path.parent / name, name.replace(os.sep, "/"), label, split, speaker))

    remarks = read_manifest(path, ("path", "label"), ("recording", "recordings"), use)
    listing.rejected += remarks.rejected
    listing.notes += remarks.notes
    return listing


def class_folders(folder: Path) -> Iterator[tuple[str | None, Path]]:
    """The folders of classes in a folder of data, each with its split.

    Args:
        folder: It holds a folder for each class; or `train` and if wanted `validation` and `test`, which do.

    Yields:
        The split, None where the data do not say, and the folder.

    Raises:
        DataError: A folder cannot be read.
    """
    named = [
        (SPLIT_NAMES[entry.name.lower()], entry) for entry in _folders(folder) if entry.name.lower() in SPLIT_NAMES
    ]
    divided = any(split == "train" for split, _ in named)
    parts: list[tuple[str | None, Path]] = [*named] if divided else [(None, folder)]
    for split, part in parts:
        yield from ((split, class_folder) for class_folder in _folders(part))


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted by name, but for hidden ones."""
    try:
        return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror or error}") from None


def _follow_lists(folder: Path, listing: Listing) -> None:
    """Gives recordings the split whose list names them; those that no list names are train."""
    splits: dict[str, str] = {}
    known = {recording.name for recording in listing.recordings}
    for split, path in _lists(folder):
        names = [
            str(row.values["path"]).strip().replace("\\", "/") for row in open_rows(path, "path").after() if row.values
        ]
        names = [name.removeprefix("./") for name in names if name]
        if missing := len(set(names) - known):
            listing.notes.append(f"{path.name}: {missing:,} of {len(set(names)):,} recordings are missing")
        splits |= dict.fromkeys(known.intersection(names), split)
    if splits:
        listing.recordings = [
            replace(recording, split=recording.split or splits.get(recording.name, "train"))
            for recording in listing.recordings
        ]


def _lists(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.glob("*.txt")):
        found = _LIST.fullmatch(path.stem)
        if found and (split := SPLIT_NAMES.get(found[1].lower())) in SPLITS[1:]:
            yield split, path
