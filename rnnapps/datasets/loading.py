"""The entry point to data: a source in, splits of lists and arrays out, and lines that say what was loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

from rnnapps.datasets.corpora import Corpus
from rnnapps.datasets.examples import LabelledTexts, Pairs, Recordings, Split, Transcripts
from rnnapps.datasets.labels import class_warnings, with_counts
from rnnapps.datasets.pieces import Pieces
from rnnapps.datasets.rejected import DataError, skipped
from rnnapps.datasets.source_paths import files_of, is_path, paths_of
from rnnapps.datasets.sources import (
    CorpusSource,
    MusicSource,
    PairSource,
    RecordingSource,
    SeriesSource,
    Source,
    TextSource,
    TranscriptSource,
    VideoSource,
)
from rnnapps.datasets.splits import SPLITS
from rnnapps.datasets.time_series import TimeSeries, divided
from rnnapps.datasets.video_clips import Clips, about_clips

Splits = (
    dict[str, LabelledTexts]
    | dict[str, Pairs]
    | dict[str, Recordings]
    | dict[str, Transcripts]
    | dict[str, Corpus]
    | dict[str, TimeSeries]
    | dict[str, Pieces]
    | dict[str, Clips]
)


@overload
def load_splits(source: TextSource, splits: Sequence[str] | None = None) -> dict[str, LabelledTexts]: ...
@overload
def load_splits(source: PairSource, splits: Sequence[str] | None = None) -> dict[str, Pairs]: ...
@overload
def load_splits(source: RecordingSource, splits: Sequence[str] | None = None) -> dict[str, Recordings]: ...
@overload
def load_splits(source: TranscriptSource, splits: Sequence[str] | None = None) -> dict[str, Transcripts]: ...
@overload
def load_splits(source: CorpusSource, splits: Sequence[str] | None = None) -> dict[str, Corpus]: ...
@overload
def load_splits(source: SeriesSource, splits: Sequence[str] | None = None) -> dict[str, TimeSeries]: ...
@overload
def load_splits(source: MusicSource, splits: Sequence[str] | None = None) -> dict[str, Pieces]: ...
@overload
def load_splits(source: VideoSource, splits: Sequence[str] | None = None) -> dict[str, Clips]: ...


def load_splits(source: Source, splits: Sequence[str] | None = None) -> Splits:
    """Loads splits of a data set. Every file is read once.

    A validation or test split that the data do not name (by a folder, a file, a list or a column `split`) is held out
    from the rest: a tenth of it, fixed by the seed. Of time series it is the end.

    Args:
        source: Where the data are: a `TextSource`, a `PairSource`, a `RecordingSource`, a `TranscriptSource`, a
            `CorpusSource`, a `SeriesSource`, a `MusicSource` or a `VideoSource`.
        splits: The splits wanted, of "train", "validation" and "test". `["all"]` is the whole of your own data as one
            split. None: all splits that the data have, which are these three except where your own sentence pairs
            have a validation part and no test part, or where TFDS keeps the labels of the test split back.

    Returns:
        The splits by name, in the order train, validation, test.

    Raises:
        DataError: A mistake in the data or in the source, in one line that says how to fix it.

    Example:
        >>> train = load_splits(TextSource("movie_sentences"), ["train"])["train"]
        >>> len(train), train.classes
        (6830, ('negative', 'positive'))
    """
    if splits is not None and not splits:
        return {}
    dataset = source.dataset
    own = _is_own(source, dataset)
    if not own:
        _check_name(dataset or "")
    if dataset is not None:
        known = (*SPLITS, "all") if own else SPLITS
        if unknown := [split for split in splits or () if split not in known]:
            raise DataError(f"{dataset}: a split must be one of {', '.join(known)}, got {unknown[0]!r}")
    if splits is not None and "all" in splits and len(splits) > 1:
        raise DataError(f"the split 'all' contains all others; ask for it alone, got {', '.join(splits)}")
    if own:
        return _own(source, dataset, splits)
    return _named(source, dataset or "", splits)


def _is_own(source: Source, dataset: str | None) -> bool:
    if isinstance(source, CorpusSource):
        return bool(paths_of(source))
    return dataset is None or is_path(dataset, source.kind)


def summary(splits: Iterable[Split | Corpus | TimeSeries | Pieces | Clips]) -> Iterator[str]:
    """Lines that say what was loaded, which rows or files were skipped, and what else is worth knowing.

    Args:
        splits: Splits of one data set.
    """
    splits = list(splits)
    first = splits[0]
    yield f"{first.name}: {', '.join(map(size_of, splits))}{_about(first)}"
    file = ("file or row", "files or rows")
    what = {Pairs: ("pair", "pairs"), Recordings: file, Transcripts: file, Pieces: ("file", "files"), Clips: file}
    yield from skipped((bad for split in splits for bad in split.rejected), *what.get(type(first), ("row", "rows")))
    yield from dict.fromkeys(note for split in splits for note in split.notes)
    if isinstance(first, LabelledTexts | Recordings | Clips) and first.labels is not None and first.split == "train":
        yield from class_warnings(first.classes, first.labels)


def size_of(split: Split | Corpus | TimeSeries | Pieces | Clips) -> str:
    """The name and the size of a split, as `summary` has them: `test 1,000`."""
    if isinstance(split, Corpus):
        size = f"{split.bytes / 1e6:,.2f} MB" if split.bytes >= 1e5 else f"{split.bytes / 1e3:,.1f} kB"
        return f"{split.split} {size}"
    if isinstance(split, TimeSeries):
        count = f"{len(split):,} series" if split.split == "train" else f"{len(split.origins()):,} forecasts"
        return f"{split.split} {count}"
    if isinstance(split, Recordings | Transcripts):
        minutes = sum(map(len, split.waveforms)) / split.sample_rate / 60
        return f"{split.split} {len(split):,} ({minutes:.1f} min)"
    return f"{split.split} {len(split):,}"


def _about(split: Split | Corpus | TimeSeries | Pieces | Clips) -> str:
    if isinstance(split, Clips):
        return about_clips(split)
    if isinstance(split, Pieces):
        return f" pieces of music; a time step is {split.step:g} quarter note{'s' * (split.step != 1)}"
    if isinstance(split, Corpus):
        return " of text"
    if isinstance(split, TimeSeries):
        step = "steps" if split.frequency is None else f"steps of {split.frequency.step}"
        return f"; {split.horizon} {step} each, season {split.season}"
    if isinstance(split, Transcripts):
        return f"; {len(set(b' '.join(split.texts).split())):,} different words in {split.split}"
    if not isinstance(split, Pairs):
        return f"; {with_counts(split.classes, split.labels)}"
    return " pairs" + (f"; {split.languages[0]} to {split.languages[1]}" if split.languages else "")


# Readers are imported when they are needed: TFDS takes seconds, and is not needed for your own data.


def _own(source: Source, dataset: str | None, splits: Sequence[str] | None) -> Splits:
    if isinstance(source, PairSource):
        from rnnapps.datasets.pairs import read_pairs

        _check_files(source, dataset)
        return read_pairs(source, None if dataset is None else Path(dataset).expanduser(), splits)
    if isinstance(source, CorpusSource):
        from rnnapps.datasets.corpora import read_corpora

        return read_corpora(source, splits)
    path = Path(source.dataset).expanduser()
    if isinstance(source, SeriesSource):
        from rnnapps.datasets.series_tables import read_series

        return divided(read_series(path, source), source, SPLITS if splits is None else splits)
    if isinstance(source, MusicSource):
        from rnnapps.datasets.music_files import read_pieces

        return read_pieces(path, source, SPLITS if splits is None else splits)
    if isinstance(source, VideoSource):
        from rnnapps.datasets.clip_files import read_clips

        return read_clips(path, source, SPLITS if splits is None else splits)
    if isinstance(source, TextSource):
        from rnnapps.datasets.labelled_texts import read_texts

        return read_texts(path, source, SPLITS if splits is None else splits)
    if isinstance(source, TranscriptSource):
        from rnnapps.datasets.transcripts import read_transcripts

        return read_transcripts(path, source, SPLITS if splits is None else splits)
    from rnnapps.datasets.recordings import read_recordings

    return read_recordings(path, source, SPLITS if splits is None else splits)


def _named(source: Source, dataset: str, splits: Sequence[str] | None) -> Splits:
    if isinstance(source, PairSource):
        from rnnapps.datasets.tfds_pairs import read_tfds_pairs

        _check_files(source, dataset)
        return read_tfds_pairs(source, dataset, splits)
    if isinstance(source, TextSource):
        from rnnapps.datasets.tfds_texts import read_tfds_texts

        return read_tfds_texts(source, splits)
    if isinstance(source, CorpusSource):
        from rnnapps.datasets.tfds_corpora import read_tfds_corpora

        return read_tfds_corpora(source, splits)
    if isinstance(source, SeriesSource):
        from rnnapps.datasets.tfds_series import read_tfds_series

        if source.test is not None:
            raise DataError(f"--test is for series of your own; leave it out with --dataset {dataset}")
        return divided(read_tfds_series(source), source, SPLITS if splits is None else splits)
    if isinstance(source, MusicSource):
        from rnnapps.datasets.tfds_music import read_tfds_music

        return read_tfds_music(source, SPLITS if splits is None else splits)
    if isinstance(source, VideoSource):
        from rnnapps.datasets.tfds_clips import read_tfds_clips

        return read_tfds_clips(source, SPLITS if splits is None else splits)
    if isinstance(source, TranscriptSource):
        from rnnapps.datasets.tfds_transcripts import read_tfds_transcripts

        return read_tfds_transcripts(source, SPLITS if splits is None else splits)
    from rnnapps.datasets.tfds_recordings import read_tfds_recordings

    for option, value in (("--split-by", source.split_by), ("--test-files", source.test_files)):
        if value is not None:
            raise DataError(f"{option} is for recordings of your own; {dataset} has splits of its own")
    return read_tfds_recordings(source, splits)


def _check_files(source: PairSource, dataset: str | None) -> None:
    if dataset is not None and (files := files_of(source)):
        raise DataError(f"--{next(iter(files))} cannot be combined with --dataset {dataset}: give one or the other")


def _check_name(dataset: str) -> None:
    """Refuses a name that was meant as a path: no TFDS name begins so, ends in a slash or has a suffix of letters."""
    if not dataset or dataset.startswith((".", "~", os.sep)) or re.search(r"(/|\.[A-Za-z]\w*)$", dataset):
        raise DataError(f"no such file or folder: {dataset!r}")
