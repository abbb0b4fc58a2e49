"""Temporary."""

import dataclasses
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rnnapps.datasets.dataset import DataError, skipped
from rnnapps.datasets.loading import load
from rnnapps.datasets.parallel import Pairs, load_pairs
from rnnapps.datasets.recordings import load_recordings
from rnnapps.errors import UserError
from rnnapps.sources import PairSource, TextSource


class _Classes:
    def with_classes(self, classes):
        if unknown := sorted(set(self.classes) - set(classes)):
            raise DataError(f"{self.name}: label {unknown[0]!r} is none of the model's classes ({', '.join(classes)})")
        numbers = np.array([list(classes).index(name) for name in self.classes])
        return replace(self, labels=numbers[self.labels], classes=tuple(classes))


@dataclass(frozen=True)
class LabelledTexts(_Classes):
    texts: list
    labels: np.ndarray
    classes: tuple
    name: str
    split: str
    rejected: tuple = ()


@dataclass(frozen=True)
class Recordings(_Classes):
    waveforms: list
    labels: np.ndarray
    classes: tuple
    paths: tuple
    sample_rate: int
    name: str
    split: str
    rejected: tuple = ()


def load_splits(source, splits=None):
    names = splits or ("train", "validation", "test")
    return {
        name: _one(source, name)
        for name in names
        if splits or not (name == "test" and getattr(source, "validation_source", None))
    }


def _one(source, split):
    if isinstance(source, TextSource):
        d = load(
            source.dataset,
            split,
            data_dir=source.data_dir,
            seed=source.seed,
            strict=source.strict,
            text_column=source.text_column,
            label_column=source.label_column,
        )
        texts, labels = [], []
        for a, b in d.examples.batch(2048).as_numpy_iterator():
            texts.extend(a.tolist())
            labels.append(b)
        return LabelledTexts(texts, np.concatenate(labels), d.classes, d.name, d.split, d.rejected)
    if isinstance(source, PairSource):
        dataset = source.dataset
        if dataset == "expressions" and (source.source or source.target):
            dataset = None
        return load_pairs(
            dataset,
            split,
            source=source.source,
            target=source.target,
            validation_source=source.validation_source,
            validation_target=source.validation_target,
            data_dir=source.data_dir,
            seed=source.seed,
            strict=source.strict,
        )
    from rnnapps.audio import read_audio
    from rnnapps.datasets.tfds_audio import EMBEDDED, load_tfds_audio

    path = Path(source.dataset).expanduser()

    def checked(file):
        samples = read_audio(file, source.sample_rate)
        if len(samples) < source.sample_rate // 20:
            raise UserError(
                f"{file}: {len(samples) / source.sample_rate * 1000:.3g} ms long; at least 50 ms are needed"
            )
        if np.ptp(samples) < 2 / 2**15:
            raise UserError(f"{file}: there is no sound in it")
        return samples

    if source.dataset not in EMBEDDED and path.exists():
        c = load_recordings(
            path,
            split,
            read=checked,
            name=source.dataset,
            seed=source.seed,
            strict=source.strict,
            split_by=source.split_by,
            test_files=source.test_files,
        )
    else:
        for option, value in (("--split-by", source.split_by), ("--test-files", source.test_files)):
            if value is not None:
                raise DataError(
                    f"{option} is for recordings of your own; {source.dataset} says itself what is in which split"
                )
        if source.dataset.startswith((".", "/", "~")):
            raise DataError(f"no such file or folder: {source.dataset!r}")
        c = load_tfds_audio(
            source.dataset, split, sample_rate=source.sample_rate, data_dir=source.data_dir, seed=source.seed
        )
    return Recordings(c.waveforms, c.labels, c.classes, c.sources, source.sample_rate, c.name, c.split, c.rejected)


def summary(splits):
    splits = list(splits)
    first = splits[0]
    if isinstance(first, Pairs):
        yield f"{first.name}: " + ", ".join(f"{s.split} {len(s.sources):,}" for s in splits) + " pairs"
    else:
        yield (
            f"{first.name}: "
            + ", ".join(f"{s.split} {len(s.labels):,}" for s in splits)
            + f"; classes {', '.join(first.classes)}"
        )
    yield from skipped((r for s in splits for r in s.rejected), "row", "rows")


def absolute(source):
    changed = {}
    for field in dataclasses.fields(source):
        value = getattr(source, field.name)
        if isinstance(value, Path) and field.name != "data_dir":
            changed[field.name] = value.resolve()
    if source.dataset not in (
        "movie_reviews",
        "movie_sentences",
        "spoken_words",
        "spoken_vocabulary",
        "expressions",
        None,
    ):
        path = Path(source.dataset).expanduser()
        if path.exists():
            changed["dataset"] = str(path.resolve())
    return replace(source, **changed)
