"""Which recordings with texts a data set names, before any is read: by a manifest, or by folders as LibriSpeech's."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile

from rnnapps.audio.audio_files import BEYOND
from rnnapps.audio.suffixes import SUFFIXES as AUDIO_SUFFIXES
from rnnapps.datasets.labels import text_of, value_of
from rnnapps.datasets.manifests import read_manifest
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.rows import SUFFIXES, columns_of, open_rows
from rnnapps.datasets.splits import SPLIT_NAMES, split_of

TRANSCRIPTS = ".trans.txt"


@dataclass(frozen=True)
class Utterance:
    """A recording, or a part of one, and its text.

    Attributes:
        path: The file.
        text: The text as the data write it.
        listed_in: The file that names it, and the line there.
        split: "train", "validation" or "test"; None where the data do not say.
        speaker: Who speaks; None where the data do not say.
        start, end: Its part of the recording in seconds; `end` None for the end of the recording.
    """

    path: Path
    text: str
    listed_in: tuple[Path, int]
    split: str | None = None
    speaker: str | None = None
    start: float = 0.0
    end: float | None = None

    @property
    def name(self) -> str:
        """The file, with the times of a part of it."""
        if not self.start and self.end is None:
            return str(self.path)
        return f"{self.path} {self.start:g}-{'' if self.end is None else f'{self.end:g}'}"

    def rejected(self, reason: str) -> Rejected:
        """What to say of it where it cannot be used."""
        path, line = self.listed_in
        return Rejected(line, reason, path)


@dataclass
class Listing:
    """What a data set names.

    Attributes:
        utterances: The recordings with their texts.
        rejected: Rows that cannot be used.
        notes: Remarks for the summary.
    """

    utterances: list[Utterance] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_transcripts(path: Path) -> Listing:
    """The recordings of a manifest or a folder.

    A manifest is a table (.csv, .tsv) or JSON lines with the columns `path` (relative to the manifest) and `text`, and
    if wanted `split`, `speaker`, `start` and `end`, in seconds; or with NeMo's names `audio_filepath`, `offset` and
    `duration`. A folder holds manifests called after their splits (`train.csv`, `dev_manifest.json`), or, at any depth,
    files `*.trans.txt` as LibriSpeech has them; folders called like `train-clean-100` or `dev-clean` are splits.

    Raises:
        DataError: Nothing there can be read.
    """
    listing = Listing()
    if path.is_file():
        _add_manifest(path, listing, None)
        return listing
    manifests = [(split, file) for file in sorted(path.iterdir()) if (split := _split_of_manifest(file))]
    for split, file in manifests:
        _add_manifest(file, listing, split)
    lists = [] if manifests else sorted(path.rglob(f"*{TRANSCRIPTS}"))
    for file in lists:
        _add_librispeech(path, file, listing)
    if not manifests and not lists:
        raise DataError(f"{path}: contains neither a manifest such as train.csv nor LibriSpeech's files *{TRANSCRIPTS}")
    return listing


def _split_of_manifest(file: Path) -> str | None:
    if file.suffix.lower() not in SUFFIXES or not file.is_file():
        return None
    return SPLIT_NAMES.get(re.split(r"[-_.]", file.stem.lower())[0])


def _add_manifest(path: Path, listing: Listing, split: str | None) -> None:
    column = path_column(columns_of(path, "text"))
    lines: dict[tuple[Path, float, float | None, str], int] = {}

    def use(row: Mapping[str, Any], line: int) -> None:
        utterance = _utterance(row, column, path, line, split)
        first = lines.setdefault((utterance.path, utterance.start, utterance.end, utterance.text), line)
        if first != line:
            raise ValueError(f"{utterance.name} is already listed with this text in line {first}")
        listing.utterances.append(utterance)

    remarks = read_manifest(path, (column, "text"), ("recording", "recordings"), use)
    listing.rejected += remarks.rejected
    listing.notes += remarks.notes


def _utterance(row: Mapping[str, Any], column: str, path: Path, line: int, split: str | None) -> Utterance:
    name = text_of(row, column)
    split = split_of(row) or split
    speaker = str(row.get("speaker") or "").strip() or None
    start, end = part_of(row, path.parent / name)
    return Utterance(path.parent / name, str(value_of(row, "text")), (path, line), split, speaker, start, end)


def path_column(columns: Iterable[str]) -> str:
    """The column that names the recordings of a manifest with these columns."""
    return "audio_filepath" if "audio_filepath" in columns and "path" not in columns else "path"


def part_of(row: Mapping[str, Any], file: Path) -> tuple[float, float | None]:
    """From when to when a row's text is in its recording, in seconds; None for the end of the recording.

    Args:
        row: The row: `start` and `end`, or `offset` and `duration` as NeMo has them.
        file: The recording.

    Raises:
        ValueError: A time is not a number of seconds, or the end is not after the start.
    """
    start = seconds(row, "start" if row.get("start") not in (None, "") else "offset") or 0.0
    end = seconds(row, "end")
    if end is None and (duration := seconds(row, "duration")) is not None:
        # NeMo gives the duration of whole recordings, too, and rounds it.
        end = None if start == 0 and duration > _length(file) - BEYOND else start + duration
    if end is not None and end <= start:
        raise ValueError(f"'end' must be after 'start', got {start:g} to {end:g}")
    return start, end


def _length(file: Path) -> float:
    """The length of a recording in seconds, by its header; 0 for one that cannot be read, as is reported later."""
    try:
        return float(soundfile.info(os.fspath(file)).duration)
    except (OSError, soundfile.LibsndfileError):
        return 0.0


def seconds(row: Mapping[str, Any], column: str) -> float | None:
    """A time in a column of a row; None where there is none.

    Raises:
        ValueError: It is not a number of seconds.
    """
    value = row.get(column)
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"{column!r} must be a number of seconds, got {str(value)[:40]!r}")
    return number


def _add_librispeech(folder: Path, file: Path, listing: Listing) -> None:
    folders = file.relative_to(folder).parts[:-1]
    split = next(iter(_named(folders)), None)
    for row in open_rows(file, "line").after():
        if row.values is None:
            listing.rejected.append(Rejected(row.line, row.problem, file))
            continue
        name, _, text = row.values["line"].partition(" ")
        if not name:
            continue
        candidates = (file.with_name(name + suffix) for suffix in (".flac", *AUDIO_SUFFIXES))
        recording = next((candidate for candidate in candidates if candidate.exists()), file.with_name(f"{name}.flac"))
        speaker = name.split("-")[0] if "-" in name else None
        listing.utterances.append(Utterance(recording, text, (file, row.line), split, speaker))


def _named(folders: tuple[str, ...]) -> Iterator[str]:
    """The splits that folders are called after."""
    for folder in folders:
        if split := SPLIT_NAMES.get(re.split(r"[-_.]", folder.lower())[0]):
            yield split
