"""The door to data as tests use it: one split, by keyword arguments."""

from rnnapps.datasets import PairSource, RecordingSource, TextSource, load_splits


def texts(dataset, split, **options):
    return load_splits(TextSource(dataset=str(dataset), **options), [split])[split]


def pairs(dataset, split, **options):
    return load_splits(PairSource(dataset=None if dataset is None else str(dataset), **options), [split])[split]


def recordings(dataset, split="all", **options):
    return load_splits(RecordingSource(dataset=str(dataset), **options), [split])[split]
