"""Data: a source (a name, files or a path) becomes splits in memory, and these become batches in few padded shapes.

    splits = load_splits(TextSource("movie_sentences"))
    print(*summary(splits.values()), sep="\\n")

Names are imported when they are first used: sources are needed by command lines, which must not wait for TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnapps.datasets.bucketing import BucketedBatches, boundaries_for, bucket
    from rnnapps.datasets.corpora import Block, Corpus, batched
    from rnnapps.datasets.examples import LabelledTexts, Pairs, Recordings, Split, Transcripts
    from rnnapps.datasets.loading import load_splits, size_of, summary
    from rnnapps.datasets.named_sets import NAMED_SETS
    from rnnapps.datasets.pair_batches import PairBatches
    from rnnapps.datasets.pieces import Piece, Pieces
    from rnnapps.datasets.rejected import DataError, Rejected
    from rnnapps.datasets.source_paths import absolute
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
    from rnnapps.datasets.time_series import OneSeries, TimeSeries
    from rnnapps.datasets.video_clips import Clips
    from rnnapps.datasets.waveform_batches import WaveformBatches

__all__ = [
    "NAMED_SETS",
    "Block",
    "BucketedBatches",
    "Clips",
    "Corpus",
    "CorpusSource",
    "DataError",
    "LabelledTexts",
    "MusicSource",
    "OneSeries",
    "PairBatches",
    "PairSource",
    "Pairs",
    "Piece",
    "Pieces",
    "RecordingSource",
    "Recordings",
    "Rejected",
    "SeriesSource",
    "Source",
    "Split",
    "TextSource",
    "TimeSeries",
    "TranscriptSource",
    "Transcripts",
    "VideoSource",
    "WaveformBatches",
    "absolute",
    "batched",
    "boundaries_for",
    "bucket",
    "load_splits",
    "size_of",
    "summary",
]

_MODULES = {
    "bucketing": ("BucketedBatches", "boundaries_for", "bucket"),
    "video_clips": ("Clips",),
    "corpora": ("Block", "Corpus", "batched"),
    "examples": ("LabelledTexts", "Pairs", "Recordings", "Split", "Transcripts"),
    "loading": ("load_splits", "size_of", "summary"),
    "named_sets": ("NAMED_SETS",),
    "pair_batches": ("PairBatches",),
    "pieces": ("Piece", "Pieces"),
    "rejected": ("DataError", "Rejected"),
    "source_paths": ("absolute",),
    "sources": (
        "CorpusSource",
        "MusicSource",
        "PairSource",
        "RecordingSource",
        "SeriesSource",
        "Source",
        "TextSource",
        "TranscriptSource",
        "VideoSource",
    ),
    "time_series": ("OneSeries", "TimeSeries"),
    "waveform_batches": ("WaveformBatches",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
