"""The clips of one split: frames, in memory or mapped from files, with a class or a sentence each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnapps.datasets.examples import renumbered
from rnnapps.datasets.labels import with_counts
from rnnapps.datasets.rejected import DataError, Rejected


@dataclass(frozen=True)
class Clips:
    """Clips of video, and what is learnt of them: classes, or sentences.

    Attributes:
        frames: The frames of each clip, uint8 `(frames, size, size, 3)`, red, green and blue. A sequence that may read
            a clip when it is asked for it.
        lengths: How many frames each has, int32 `(clips,)`.
        labels: The class of each, int64 `(clips,)`, an index into `classes`; None where sentences are learnt.
        classes: The names of the classes in the order of their numbers; empty where sentences are learnt.
        captions: The sentence of each, UTF-8; None where classes are learnt.
        paths: Where each comes from: a file, a folder of frames, or its number in the split.
        size: Height and width of a frame in pixels.
        fps: Frames a second.
        name: The data set as it was asked for.
        split: "train", "validation", "test", or "all" for the whole of your own data.
        rejected: The files and rows that were skipped.
        notes: Remarks on the data that `summary` repeats.
    """

    frames: Sequence[np.ndarray]
    lengths: np.ndarray
    labels: np.ndarray | None
    classes: tuple[str, ...]
    captions: list[bytes] | None
    paths: tuple[str, ...]
    size: int
    fps: float
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def task(self) -> str:
        """What is learnt: "actions" or "captions"."""
        return "actions" if self.captions is None else "captions"

    def with_classes(self, classes: Sequence[str]) -> Clips:
        """The same clips with the class numbers of a model.

        Args:
            classes: The names of the model's classes in the order of their numbers.

        Raises:
            DataError: There is a label that the model does not know, or there are no labels.
        """
        if self.labels is None:
            raise DataError(f"{self.name}: has captions, but the model names actions")
        labels = renumbered(self.name, self.labels, self.classes, classes)
        return dataclasses.replace(self, labels=labels, classes=tuple(classes))


def about_clips(split: Clips) -> str:
    """What `summary` says of clips beside their number."""
    frames = f"{split.lengths.mean():.1f} frames each on average, {split.size}x{split.size} at {split.fps:g} a second"
    if split.labels is not None:
        return f" clips; {frames}; {with_counts(split.classes, split.labels)}"
    words = len({word for caption in split.captions or () for word in caption.split()})
    return f" clips; {frames}; captions of {words:,} different words in {split.split}"
