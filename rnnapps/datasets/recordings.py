"""Labelled recordings of your own.

The layouts: a folder with one folder for each class; a folder that holds such folders as `train`, `validation` and
`test`; the archive of Speech Commands as it unpacks; or a manifest, a table with the columns `path` (relative to the
manifest) and `label`, and if wanted `split` and `speaker`. A validation or test split that the data do not name is held
out from the rest: a tenth, fixed by the seed; in whole speakers where these are known, otherwise stratified by class.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rnnapps.audio import read_audio
from rnnapps.datasets.examples import Recordings
from rnnapps.datasets.labels import check_several_classes, natural_order
from rnnapps.datasets.recording_checks import checked_recording
from rnnapps.datasets.recording_lists import Listed, Listing, list_folder, list_manifest
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.sources import RecordingSource
from rnnapps.datasets.speakers import Speakers, fill_splits, recognised, remarks
from rnnapps.datasets.splits import named_parts, places_of
from rnnapps.errors import UserError

_REJECTED = ("file or row", "files or rows")
_UNKNOWN = (
    "speakers are not recognised in the file names, so a speaker may be in several splits;"
    " --split-by PATTERN keeps them apart"
)


def read_recordings(path: Path, source: RecordingSource, splits: Sequence[str]) -> dict[str, Recordings]:
    """Reads your own recordings, and divides them. Only the splits wanted are decoded.

    Args:
        path: A folder or a manifest.
        source: How to read and divide it.
        splits: The splits wanted, or "all".

    Raises:
        DataError: There is nothing usable, a pattern does not fit, a split is empty, or (with `source.strict`) a file
            is bad.
    """
    listing = list_manifest(path) if path.is_file() else list_folder(path)
    listed, rejected = listing.recordings, tuple(listing.rejected)
    if rejected and source.strict:
        raise DataError(str(rejected[0]))
    if not listed:
        why = f"the first problem: {rejected[0]}" if rejected else "expected one folder of recordings per class"
        raise DataError(f"{path}: no recordings ({'; '.join([why, *listing.notes])})")
    classes = natural_order({recording.label for recording in listed})
    check_several_classes(path, classes, "recording", rejected, _REJECTED)
    labels = np.array([classes.index(recording.label) for recording in listed], np.int64)
    parts, notes = None, list(listing.notes)
    if "all" not in splits:
        parts, said = _parts(path, listed, labels, source, advise="train" in splits)
        notes += said
    decode = _decoder(source)
    made = {}
    for split in splits:
        chosen = places_of(split, parts, len(listed), path, ("recording", "recordings"))
        waveforms, good, bad = decode([listed[index].path for index in chosen])
        if not good:
            raise DataError(
                f"{path}: none of the {len(chosen)} recordings of the {split} split can be used: {[*rejected, *bad][0]}"
            )
        kept = chosen[good]
        if split == "train":
            check_several_classes(
                path, sorted({classes[label] for label in labels[kept]}), "recording", [*rejected, *bad], _REJECTED
            )
        noise, bad_noise = _noise(listing, decode) if split == "train" else ((), ())
        made[split] = Recordings(
            waveforms,
            labels[kept],
            classes,
            tuple(str(listed[index].path) for index in kept),
            source.sample_rate,
            source.dataset,
            split,
            (*rejected, *bad, *bad_noise),
            noise,
            tuple(notes),
        )
    return made


class _Decoded(NamedTuple):
    waveforms: list[np.ndarray]
    good: list[int]  # the places of the files that could be read
    bad: list[Rejected]


def _decoder(source: RecordingSource) -> Callable[[Sequence[Path]], _Decoded]:
    def decode(paths: Sequence[Path]) -> _Decoded:
        decoded = _Decoded([], [], [])
        for place, path in enumerate(paths):
            try:
                decoded.waveforms.append(
                    checked_recording(read_audio(path, source.sample_rate), source.sample_rate, path)
                )
                decoded.good.append(place)
            except UserError as error:
                if source.strict:
                    raise DataError(str(error)) from None
                decoded.bad.append(Rejected(None, str(error).removeprefix(f"{path}: "), path))
        return decoded

    return decode


def _noise(
    listing: Listing, decode: Callable[[Sequence[Path]], _Decoded]
) -> tuple[tuple[np.ndarray, ...], list[Rejected]]:
    decoded = decode(listing.noise)
    return tuple(decoded.waveforms), decoded.bad


def _parts(
    path: Path, listed: Sequence[Listed], labels: np.ndarray, source: RecordingSource, *, advise: bool
) -> tuple[np.ndarray, list[str]]:
    """The split of each recording, an index into `SPLITS`, and remarks on its speakers."""
    splits = [recording.split for recording in listed]
    if source.test_files is not None:
        pattern = _pattern("--test-files", source.test_files)
        splits = ["test" if pattern.search(recording.name) else recording.split for recording in listed]
        if "test" not in splits:
            raise DataError(
                f"--test-files {source.test_files!r} matches no path below {path}, such as {listed[0].name!r}"
            )
    parts, _, missing = named_parts(path, splits)
    speakers = _speakers(path, listed, source)
    contents = [recording.name.encode(errors="surrogateescape") for recording in listed]
    whole = fill_splits(speakers, contents, labels, parts, missing, source.seed)
    if speakers and source.split_by is not None and missing and not whole:
        groups = sorted(set(speakers.of))
        raise DataError(
            f"{path}: {len(groups)} groups ({', '.join(groups[:5])}) cannot be divided into train,"
            f" {' and '.join(missing)} splits; change --split-by, or leave it out"
        )
    start = "spoken_vocabulary" if advise else None
    return parts, remarks(speakers, parts, missing, whole=whole, unknown=_UNKNOWN, start=start)


def _speakers(path: Path, listed: Sequence[Listed], source: RecordingSource) -> Speakers | None:
    """The speaker of each recording: by `split_by`, by the manifest, or by the file names."""
    if source.split_by is not None:
        pattern = _pattern("--split-by", source.split_by)
        groups = []
        for recording in listed:
            found = pattern.search(recording.name)
            if found is None:
                raise DataError(f"--split-by {source.split_by!r} does not match {recording.name!r} (below {path})")
            groups.append((found[1] if pattern.groups else found[0]) or "")
        return Speakers(groups, f"--split-by {source.split_by!r}")
    if any(recording.speaker for recording in listed):
        return Speakers([recording.speaker or recording.name for recording in listed], "the column 'speaker'")
    return recognised([recording.name for recording in listed], [recording.label for recording in listed])


def _pattern(option: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise DataError(f"{option} must be a regular expression ({error}), got {text!r}") from None
