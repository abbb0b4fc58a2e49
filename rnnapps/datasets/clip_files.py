"""Clips of your own video.

The layouts: a folder with one folder for each class, which holds video files or folders of pictures; a folder that
holds such folders as `train`, `validation` and `test`; or a manifest, a table with the columns `path` (relative to the
manifest) and `label` or `caption`, and if wanted `split`. A validation or test split that the data do not name is held
out from the rest: a tenth, fixed by the seed, stratified by class. Clips cut from one film stay together where their
names say so, as those of UCF101 do.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnnapps.datasets.clip_cache import MappedClips, cached_clips
from rnnapps.datasets.clip_lists import ListedClip, list_clip_folder, list_clip_manifest
from rnnapps.datasets.labels import check_several_classes, natural_order
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.sources import VideoSource
from rnnapps.datasets.splits import SPLITS, hold_out, named_parts, places_of
from rnnapps.datasets.video_clips import Clips
from rnnapps.errors import UserError

_REJECTED = ("file or row", "files or rows")
_CLIP_OF_A_FILM = re.compile(r"(.+_g\d+)_c\d+(?:\.\w+)?")


def read_clips(path: Path, source: VideoSource, splits: Sequence[str]) -> dict[str, Clips]:
    """Reads your own clips, and divides them. Only the splits wanted are decoded, and no video twice.

    Args:
        path: A folder or a manifest.
        source: How to read it.
        splits: The splits wanted, or "all".

    Raises:
        DataError: There is nothing usable, a split is empty, or (with `source.strict`) a file is bad.
    """
    listing = list_clip_manifest(path, source.task) if path.is_file() else list_clip_folder(path, source.task)
    listed, rejected = listing.clips, listing.rejected
    if rejected and source.strict:
        raise DataError(str(rejected[0]))
    if not listed:
        why = f"the first problem: {rejected[0]}" if rejected else "expected one folder of videos per class"
        raise DataError(f"{path}: no videos ({'; '.join([why, *listing.notes])})")
    captions = listing.task == "captions"
    classes = () if captions else natural_order({clip.target for clip in listed})
    if not captions:
        check_several_classes(path, classes, "clip", rejected, _REJECTED)
    labels = np.array([0 if captions else classes.index(clip.target) for clip in listed], np.int64)
    parts, remarks = (None, ()) if "all" in splits else _parts(path, listed, labels, source)
    made = {}
    for split in splits:
        chosen = places_of(split, parts, len(listed), path, ("clip", "clips"))
        good, files, lengths, bad = _read([listed[place] for place in chosen], source)
        if not good:
            raise DataError(
                f"{path}: none of the {len(chosen)} clips of the {split} split can be used: {[*rejected, *bad][0]}"
            )
        kept = chosen[good]
        if split == "train" and not captions:
            check_several_classes(
                path, sorted({classes[label] for label in labels[kept]}), "clip", [*rejected, *bad], _REJECTED
            )
        cut = sum(length == source.max_frames for length in lengths)
        made[split] = Clips(
            MappedClips(files, source.size),
            np.array(lengths, np.int32),
            None if captions else labels[kept],
            classes,
            [listed[place].target.encode() for place in kept] if captions else None,
            tuple(str(listed[place].path) for place in kept),
            source.size,
            source.fps,
            source.dataset,
            split,
            (*rejected, *bad),
            (*listing.notes, *remarks, *_cut_note(split, cut, source)),
        )
    return made


def _read(clips: Sequence[ListedClip], source: VideoSource) -> tuple[list[int], list[Path], list[int], list[Rejected]]:
    """The places of the clips that could be read, the files of their frames, their lengths, and the bad ones."""
    good: list[int] = []
    files: list[Path] = []
    lengths: list[int] = []
    bad: list[Rejected] = []
    for place, found in enumerate(cached_clips([clip.path for clip in clips], source)):
        if isinstance(found, UserError):
            if source.strict:
                raise DataError(str(found)) from None
            path = clips[place].path
            bad.append(Rejected(None, str(found).removeprefix(f"{path}: "), path))
            continue
        good.append(place)
        files.append(found[0])
        lengths.append(found[1])
    return good, files, lengths, bad


def _cut_note(split: str, cut: int, source: VideoSource) -> list[str]:
    if not cut:
        return []
    seconds = source.max_frames / source.fps
    return [
        f"{split}: {cut:,} {'clip has' if cut == 1 else 'clips have'} --max-frames {source.max_frames} frames"
        f" ({seconds:.1f} s); longer ones were cut"
    ]


def _parts(
    path: Path, listed: Sequence[ListedClip], labels: np.ndarray, source: VideoSource
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The split of each clip, an index into `SPLITS`; and a remark if films are divided, for they are too few."""
    parts, train, missing = named_parts(path, [clip.split for clip in listed])
    names = [listed[place].name for place in train.tolist()]
    remarks: tuple[str, ...] = ()
    for groups in ([_film(name) for name in names], names):
        first = {group: place for place, group in reversed(list(zip(train.tolist(), groups, strict=True)))}
        contents = [group.encode(errors="surrogateescape") for group in first]
        held_out = dict(zip(first, hold_out(contents, labels[list(first.values())], missing, source.seed), strict=True))
        parts[train] = [held_out[group] for group in groups]
        if len(first) == len(names) or {SPLITS.index(split) for split in missing} <= set(held_out.values()):
            break
        remarks = (f"{len(first):,} films are too few to keep all clips of a film in one split",)
    return parts, remarks


def _film(name: str) -> str:
    """What a clip was cut from: in names as v_Archery_g08_c02.avi what comes before the number of the clip."""
    match = _CLIP_OF_A_FILM.fullmatch(name)
    return match[1] if match else name
