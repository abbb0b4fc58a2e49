"""Which clips a data set names, before any is read: by folders, or by a manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rnnapps.datasets.labels import class_of, label_of, text_of
from rnnapps.datasets.manifests import new_name, read_manifest
from rnnapps.datasets.recording_lists import class_folders
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.rows import columns_of
from rnnapps.datasets.splits import split_of
from rnnapps.datasets.video_suffixes import PICTURES, VIDEOS


@dataclass(frozen=True)
class ListedClip:
    """A clip that the data name.

    Attributes:
        path: A video file, or a folder of pictures.
        name: Its path below the folder of the data, with forward slashes.
        target: Its label, or its caption.
        split: "train", "validation" or "test"; None where the data do not say.
    """

    path: Path
    name: str
    target: str
    split: str | None = None


@dataclass
class ClipListing:
    """What a data set names.

    Attributes:
        task: "actions" where the targets are labels, "captions" where they are sentences.
        clips: The clips.
        rejected: Rows of a manifest that cannot be used.
        notes: Remarks for the summary.
    """

    task: str
    clips: list[ListedClip] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def list_clip_folder(folder: Path, task: str | None) -> ClipListing:
    """The clips in a folder with one folder for each class, or with such folders for each split.

    Every clip in the folder of a class is one of the class; see `clips_in`.

    Raises:
        DataError: The folder cannot be read, or captions are wanted, which folders do not hold.
    """
    if task == "captions":
        raise DataError(f"{folder}: --task captions needs a manifest with the columns path and caption, got a folder")
    listing, ignored = ClipListing("actions"), 0
    for split, class_folder in class_folders(folder):
        found = list(clips_in(class_folder))
        ignored += sum(path is None for path in found)
        listing.clips += [
            ListedClip(path, path.relative_to(folder).as_posix(), class_of(class_folder), split)
            for path in found
            if path is not None
        ]
    if ignored:
        what = "file that is not a video" if ignored == 1 else "files that are not videos"
        listing.notes.append(f"ignored {ignored:,} {what}")
    return listing


def clips_in(folder: Path) -> Iterator[Path | None]:
    """The video files, and the folders of pictures without a video beside them, at any depth; None for other files."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        suffixes = {name: Path(name).suffix.lower() for name in sorted(names) if not name.startswith(".")}
        beside_videos = any(suffix in VIDEOS for suffix in suffixes.values())  # covers and previews, no frames
        if not beside_videos and any(suffix in PICTURES for suffix in suffixes.values()):
            yield Path(place)
        for name, suffix in suffixes.items():
            if beside_videos or suffix not in PICTURES:
                yield Path(place, name) if suffix in VIDEOS else None


def list_clip_manifest(path: Path, task: str | None) -> ClipListing:
    """The clips that a table names in the columns `path` (relative to the table) and `label` or `caption`.

    A column `split` is honoured. A clip may have several captions, each in a row of its own.

    Raises:
        DataError: The table cannot be read, or lacks a column.
    """
    columns = columns_of(path, "path")
    task = task or ("captions" if "caption" in columns and "label" not in columns else "actions")
    listing = ClipListing(task)
    lines: dict[tuple[str, ...], int] = {}

    def use(row: Mapping[str, Any], line: int) -> None:
        target = label_of(row, "label") if task == "actions" else _caption_of(row)
        split = split_of(row)
        name = new_name(row, line, lines, *([] if task == "actions" else [target]))
        listing.clips.append(ListedClip(path.parent / name, name.replace(os.sep, "/"), target, split))

    column = "label" if task == "actions" else "caption"
    remarks = read_manifest(path, ("path", column), ("video", "videos"), use)
    listing.rejected += remarks.rejected
    listing.notes += remarks.notes
    return listing


def _caption_of(row: Mapping[str, Any]) -> str:
    return " ".join(text_of(row, "caption").split())
