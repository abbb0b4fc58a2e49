"""Audio classification sets that TFDS prepares: `speech_commands` and others by name, and our own."""

import os

import numpy as np
import soxr
import tensorflow_datasets as tfds

from rnnapps.datasets.dataset import DataError
from rnnapps.datasets.embedded.spoken_words import SpokenVocabulary, SpokenWords
from rnnapps.datasets.recordings import Clips
from rnnapps.datasets.splits import SPLITS, divide, tenth, text_hash
from rnnapps.datasets.tfds_data import prepared

EMBEDDED = {builder.name: builder for builder in (SpokenWords, SpokenVocabulary)}


def load_tfds_audio(
    name: str, split: str, *, sample_rate: int, data_dir: str | os.PathLike | None = None, seed: int = 0
) -> Clips:
    """Loads one split of an embedded or TFDS set of labelled recordings, resampled to `sample_rate` Hz.

    A validation or test split that the set lacks is carved off its train split: a tenth, stratified.

    Raises:
      DataError: no such set, it cannot be prepared, or it is not one of labelled recordings.
    """
    if split not in SPLITS:
        raise DataError(f"unknown split {split!r} of {name}: it is one of {', '.join(SPLITS)}")

    def columns(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
        features = dict(builder.info.features or {})
        audio = _only(name, features, tfds.features.Audio, "audio")
        return audio, _only(name, features, tfds.features.ClassLabel, "label")

    builder = prepared(name, data_dir, EMBEDDED, kind="audio classification", check=columns)
    features = builder.info.features
    audio, label = columns(builder)
    present = set(builder.info.splits)
    read = split if split in present else "train"
    waveforms, labels = [], []
    for example in builder.as_dataset(split=read, shuffle_files=False).as_numpy_iterator():
        waveforms.append(_resampled(example[audio], features[audio].sample_rate or sample_rate, sample_rate))
        labels.append(example[label])
    labels = np.array(labels, np.int64)
    chosen = np.arange(len(labels))
    missing = {part: tenth(len(labels)) if part not in present else 0 for part in ("validation", "test")}
    if read == "train" and any(missing.values()):
        hashes = [text_hash(waveform.tobytes(), seed) for waveform in waveforms]
        chosen = np.flatnonzero(divide(hashes, labels, **missing) == SPLITS.index(split))
    return Clips(
        [waveforms[index] for index in chosen],
        labels[chosen],
        tuple(features[label].names),
        tuple(f"{name} {split} {index}" for index in range(len(chosen))),
        name,
        split,
    )


def _only(name: str, features: dict, kind: type, wanted: str) -> str:
    found = [key for key, feature in features.items() if isinstance(feature, kind)]
    if wanted in found:
        return wanted
    if len(found) != 1:
        raise DataError(f"{name}: has {', '.join(features)}; a set with one audio and one label feature is needed")
    return found[0]


def _resampled(samples: np.ndarray, rate: int, sample_rate: int) -> np.ndarray:
    samples = samples.mean(axis=1) if samples.ndim == 2 else samples
    if np.issubdtype(samples.dtype, np.floating):
        samples = np.round(np.clip(samples, -1, 1) * (2**15 - 1))
    samples = samples.astype(np.int16)
    return samples if rate == sample_rate else soxr.resample(samples, rate, sample_rate)
