"""From a named data set or a path to labelled clips, and on to batches of waveforms."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from rnnapps.audio import read_audio
from rnnapps.datasets import Batches, DataError, bucket
from rnnapps.datasets.dataset import skipped
from rnnapps.datasets.recordings import Clips, load_recordings
from rnnapps.datasets.tfds_audio import EMBEDDED, load_tfds_audio
from rnnapps.errors import UserError

SPLITS = ("train", "validation", "test")


def clips(
    dataset: str,
    split: str,
    *,
    sample_rate: int,
    data_dir: Path | None = None,
    seed: int = 0,
    strict: bool = False,
    split_by: str | None = None,
    test_files: str | None = None,
) -> Clips:
    """Loads one split of an embedded set, of one's own recordings or of a TFDS set, in this order.

    Args:
      dataset: `spoken_words`; a folder or manifest (see `load_recordings`); or a TFDS name such as `speech_commands`.
      split: "train", "validation", "test"; of one's own data also "all".
      sample_rate: in Hz; everything is resampled to it.
      data_dir, seed, strict, split_by, test_files: see `load_recordings` and `load_tfds_audio`.

    Raises:
      DataError: a mistake in the data or in how they were asked for.
    """
    path = Path(dataset).expanduser()
    if dataset not in EMBEDDED and path.exists():
        return load_recordings(
            path,
            split,
            read=lambda file: _checked(file, sample_rate),
            name=dataset,
            seed=seed,
            strict=strict,
            split_by=split_by,
            test_files=test_files,
        )
    for option, value in (("--split-by", split_by), ("--test-files", test_files)):
        if value is not None:
            raise DataError(f"{option} is for recordings of your own; {dataset} says itself what is in which split")
    if dataset.startswith((".", "/", "~")):
        raise DataError(f"no such file or folder: {dataset!r}")
    return load_tfds_audio(dataset, split, sample_rate=sample_rate, data_dir=data_dir, seed=seed)


def _checked(file: Path, sample_rate: int) -> np.ndarray:
    samples = read_audio(file, sample_rate)
    if len(samples) < sample_rate // 20:
        raise UserError(f"{file}: {len(samples) / sample_rate * 1000:.3g} ms long; at least 50 ms are needed")
    if np.ptp(samples) < 2 / 2**15:
        raise UserError(f"{file}: there is no sound in it")
    return samples


def with_classes(examples: Clips, classes: Sequence[str]) -> Clips:
    """The same clips with the class numbers of a model.

    Raises:
      DataError: if there are labels that the model does not know.
    """
    if unknown := sorted(set(examples.classes) - set(classes)):
        raise DataError(f"{examples.name}: label {unknown[0]!r} is none of the model's classes ({', '.join(classes)})")
    numbers = np.array([classes.index(name) for name in examples.classes])
    return replace(examples, labels=numbers[examples.labels], classes=tuple(classes))


def summary(splits: Iterable[Clips], sample_rate: int) -> Iterator[str]:
    """Lines that say what was loaded, and which files were skipped."""
    splits = list(splits)
    sizes = ", ".join(
        f"{split.split} {len(split.labels):,} ({sum(map(len, split.waveforms)) / sample_rate / 60:.1f} min)"
        for split in splits
    )
    yield f"{splits[0].name}: {sizes}; classes {', '.join(splits[0].classes)}"
    yield from skipped((bad for split in splits for bad in split.rejected), "file or row", "files or rows")


class WaveformBatches:
    """Batches of ((waveform float32 (batch, samples), lengths int32 (batch,)), labels int64 (batch,)).

    Waveforms are padded with zeros to a few lengths; the model is told how much of each is real.

    Args:
      examples: the clips.
      batch_size: clips a batch.
      buckets: padded lengths; each costs one compilation where XLA is used.
      seed: shuffles anew each epoch; None keeps a fixed order.
    """

    def __init__(self, examples: Clips, batch_size: int, *, buckets: int = 6, seed: int | None = None):
        lengths = np.array([len(waveform) for waveform in examples.waveforms], np.int32)
        self._batches: Batches = bucket(
            (examples.waveforms, lengths, examples.labels), batch_size=batch_size, boundaries=buckets, seed=seed
        )
        self.steps = self._batches.steps

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of an epoch; see `rnnapps.datasets.Batches.epoch`."""
        return self._batches.epoch(n).map(
            lambda waveform, lengths, labels: ((tf.cast(waveform, tf.float32) / 2**15, lengths), labels)
        )

    def order(self) -> np.ndarray:
        """Which example stands where in epoch 0; see `rnnapps.datasets.Batches.order`."""
        return self._batches.order()
