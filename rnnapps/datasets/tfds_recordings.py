"""Labelled recordings that TFDS prepares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import soxr
import tensorflow_datasets as tfds

from rnnapps.audio.samples import int16
from rnnapps.datasets.examples import Recordings
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import RecordingSource
from rnnapps.datasets.splits import SPLITS
from rnnapps.datasets.tfds_builders import parts_to_read, prepared
from rnnapps.datasets.tfds_speakers import divide, speaker_feature, tfds_speakers


def read_tfds_recordings(source: RecordingSource, splits: Sequence[str] | None) -> dict[str, Recordings]:
    """Reads splits of a named set or a TFDS set of labelled recordings; nothing but what they need is decoded.

    Args:
        source: Which set, and the sample rate.
        splits: The splits wanted; None for all.

    Raises:
        DataError: There is no such set, it cannot be prepared, or it is not one of labelled recordings.
    """
    name, sample_rate = source.dataset, source.sample_rate
    splits = SPLITS if splits is None else splits

    def columns(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
        features = dict(builder.info.features or {})
        needed = "one audio and one label feature"
        audio = only_feature(name, features, tfds.features.Audio, "audio", needed)
        return audio, only_feature(name, features, tfds.features.ClassLabel, "label", needed)

    builder = prepared(name, source.data_dir, "recordings", columns)
    features = builder.info.features
    audio, label = columns(builder)
    rate = features[audio].sample_rate or sample_rate
    read, missing = parts_to_read(builder, name, splits)
    speaker = speaker_feature(features, label)
    found = {}
    for part, stands_for in read.items():
        waveforms, numbers, said = [], [], []
        for example in builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator():
            waveforms.append(resampled(example[audio], rate, sample_rate))
            numbers.append(example[label])
            said.append(example[speaker] if speaker else None)
        labels = np.array(numbers, np.int64)
        held_out: np.ndarray | None = None
        notes: tuple[str, ...] = ()
        if part == "train" and missing:
            speakers = tfds_speakers(speaker, said, [features[label].names[number] for number in numbers])
            contents = [waveform.tobytes() for waveform in waveforms]
            start = "spoken_vocabulary" if "train" in splits else None
            held_out, notes = divide(speakers, contents, labels, missing, source.seed, start)
        for split in stands_for:
            chosen = np.arange(len(labels)) if held_out is None else np.flatnonzero(held_out == SPLITS.index(split))
            found[split] = Recordings(
                [waveforms[index] for index in chosen],
                labels[chosen],
                tuple(features[label].names),
                tuple(f"{name} {split} {index}" for index in range(len(chosen))),
                sample_rate,
                name,
                split,
                notes=notes,
            )
    return {split: found[split] for split in splits}


def only_feature(
    name: str, features: dict[str, tfds.features.FeatureConnector], kind: type, wanted: str, needed: str
) -> str:
    """The feature of a kind that is called `wanted`, or the only one of that kind.

    Raises:
        DataError: There is none, or several; the message says that a set with what is `needed` can be used.
    """
    found = [key for key, feature in features.items() if isinstance(feature, kind)]
    if wanted in found:
        return wanted
    if len(found) != 1:
        raise DataError(f"{name}: has {', '.join(features)}; a set with {needed} is needed")
    return found[0]


def resampled(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    """Mono samples, int16 at another rate, of samples of any type and number of channels."""
    whole = np.issubdtype(samples.dtype, np.integer)
    samples = samples.mean(axis=1) if samples.ndim == 2 else samples
    samples = np.rint(samples).astype(np.int16) if whole else int16(samples)
    return samples if rate == sample_rate else soxr.resample(samples, rate, sample_rate)
