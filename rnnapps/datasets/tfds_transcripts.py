"""Recordings with texts that TFDS prepares, such as `librispeech`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.examples import Transcripts
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.sources import TranscriptSource
from rnnapps.datasets.speakers import Speakers
from rnnapps.datasets.splits import SPLIT_NAMES, SPLITS
from rnnapps.datasets.tfds_builders import is_text, prepared
from rnnapps.datasets.tfds_recordings import only_feature, resampled
from rnnapps.datasets.tfds_speakers import divide, speaker_feature, tfds_speakers
from rnnapps.datasets.transcripts import normalisation_of


def read_tfds_transcripts(source: TranscriptSource, splits: Sequence[str]) -> dict[str, Transcripts]:
    """Reads splits of a named set or a TFDS set of recordings with texts.

    Of several splits for one purpose the first in the order of the alphabet is read: of `librispeech` train_clean100,
    dev_clean and test_clean.

    Args:
        source: Which set, the sample rate, and what is done to the texts.
        splits: The splits wanted.

    Raises:
        DataError: There is no such set, it cannot be prepared, or it is not one of recordings with texts.
    """
    name = source.dataset

    def columns(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
        features = dict(builder.info.features or {})
        audio = only_feature(name, features, tfds.features.Audio, "audio", "one audio and a text feature")
        texts = [key for key, feature in features.items() if key != audio and is_text(feature)]
        for wanted in ("text", "sentence", "transcript", "transcription"):
            if wanted in texts:
                return audio, wanted
        raise DataError(f"{name}: has {', '.join(features)}; a set with a feature 'text' is needed")

    builder = prepared(name, source.data_dir, "transcripts", columns)
    audio, text = columns(builder)
    rate = builder.info.features[audio].sample_rate or source.sample_rate
    present: dict[str, str] = {}
    for part in sorted(builder.info.splits):
        present.setdefault(SPLIT_NAMES.get(part.split("_")[0], part), part)
    if "train" not in present:
        raise DataError(f"{name}: has no train split, only {', '.join(builder.info.splits)}")
    missing = tuple(split for split in SPLITS if split not in present)
    read: dict[str, list[str]] = {}
    for split in splits:
        read.setdefault(present.get(split, present["train"]), []).append(split)
    found = {}
    for part, stands_for in read.items():
        every, speakers = _read(builder, part, (audio, text), rate, source)
        held_out: np.ndarray | None = None
        notes: tuple[str, ...] = ()
        if part == present["train"] and missing:
            start = "spoken_phrases" if "train" in splits else None
            one_class = np.zeros(len(every), np.int64)
            held_out, notes = divide(speakers, every.texts, one_class, missing, source.seed, start)
        for split in stands_for:
            places = range(len(every)) if held_out is None else np.flatnonzero(held_out == SPLITS.index(split)).tolist()
            found[split] = dataclasses.replace(every.only(places), split=split, notes=notes)
    return {split: found[split] for split in splits}


def _read(
    builder: tfds.core.DatasetBuilder, part: str, columns: tuple[str, str], rate: int, source: TranscriptSource
) -> tuple[Transcripts, Speakers | None]:
    audio, text = columns
    speaker = speaker_feature(builder.info.features, text)
    normalise = normalisation_of(source)
    waveforms, texts, paths, rejected, said = [], [], [], [], []
    for number, example in enumerate(builder.as_dataset(split=part, shuffle_files=False).as_numpy_iterator()):
        place = f"{source.dataset} {part} {number}"
        try:
            texts.append(normalise(example[text].decode("utf-8", errors="replace")).encode())
        except ValueError as error:
            bad = Rejected(number, str(error), builder.data_path / part)
            if source.strict:
                raise DataError(str(bad)) from None
            rejected.append(bad)
            continue
        waveforms.append(resampled(example[audio], rate, source.sample_rate))
        paths.append(place)
        said.append(example[speaker] if speaker else None)
    if not texts:
        raise DataError(f"{source.dataset}: no text of the split {part} can be used: {rejected[0] if rejected else ''}")
    speakers = tfds_speakers(speaker, said, [text.decode() for text in texts])
    found = Transcripts(waveforms, texts, tuple(paths), source.sample_rate, source.dataset, part, tuple(rejected))
    return found, speakers
