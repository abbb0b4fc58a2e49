"""The examples of one split, in memory: labelled texts, sentence pairs, labelled recordings or transcripts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnapps.datasets.rejected import DataError, Rejected


@dataclass(frozen=True)
class LabelledTexts:
    """Texts and their classes.

    Attributes:
        texts: The texts in UTF-8.
        labels: The class of each, int64 (examples,), an index into `classes`.
        classes: The names of the classes in the order of their numbers.
        name: The data set as it was asked for.
        split: "train", "validation", "test", or "all" for the whole of your own data.
        rejected: The rows that were skipped, in the order of the file.
        notes: Remarks on the data that `summary` repeats.
    """

    texts: list[bytes]
    labels: np.ndarray
    classes: tuple[str, ...]
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def with_classes(self, classes: Sequence[str]) -> LabelledTexts:
        """The same texts with the class numbers of a model.

        Args:
            classes: The names of the model's classes in the order of their numbers.

        Raises:
            DataError: There is a label that the model does not know.
        """
        labels = renumbered(self.name, self.labels, self.classes, classes)
        return dataclasses.replace(self, labels=labels, classes=tuple(classes))


@dataclass(frozen=True)
class Pairs:
    """Sentences and their translations.

    Attributes:
        sources: Sentences in UTF-8, without spaces at the ends.
        targets: The translation of each.
        name: The data set as it was asked for.
        split: "train", "validation", "test", or "all" for the whole of your own data.
        rejected: The pairs that were left out, in the order of the file.
        languages: The codes of the source and the target language; None where the data do not say.
        notes: Remarks on the data that `summary` repeats.
    """

    sources: list[bytes]
    targets: list[bytes]
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()
    languages: tuple[str, str] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class Recordings:
    """Recordings and their classes.

    Attributes:
        waveforms: Mono samples, int16 (samples,) each.
        labels: The class of each, int64 (recordings,), an index into `classes`.
        classes: The names of the classes in the order of their numbers.
        paths: Where each comes from: a file, or its number in the split.
        sample_rate: In Hz.
        name: The data set as it was asked for.
        split: "train", "validation", "test", or "all" for the whole of your own data.
        rejected: The files and rows that were skipped.
        noise: Background noise that came with the data, to be mixed into training examples, int16 (samples,) each. It
            belongs to the train split; other splits have none.
        notes: Remarks on the data that `summary` repeats.
    """

    waveforms: list[np.ndarray]
    labels: np.ndarray
    classes: tuple[str, ...]
    paths: tuple[str, ...]
    sample_rate: int
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()
    noise: tuple[np.ndarray, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.waveforms)

    def with_classes(self, classes: Sequence[str]) -> Recordings:
        """The same recordings with the class numbers of a model.

        Args:
            classes: The names of the model's classes in the order of their numbers.

        Raises:
            DataError: There is a label that the model does not know.
        """
        labels = renumbered(self.name, self.labels, self.classes, classes)
        return dataclasses.replace(self, labels=labels, classes=tuple(classes))


@dataclass(frozen=True)
class Transcripts:
    """Recordings and what is said in them.

    Attributes:
        waveforms: Mono samples, int16 (samples,) each.
        texts: What is said in each, UTF-8 in the form of the source.
        paths: Where each comes from: a file, with times where it is a part of one; or its number in the split.
        sample_rate: In Hz.
        name: The data set as it was asked for.
        split: "train", "validation", "test", or "all" for the whole of your own data.
        rejected: The files and rows that were skipped.
        notes: Remarks on the data that `summary` repeats.
    """

    waveforms: list[np.ndarray]
    texts: list[bytes]
    paths: tuple[str, ...]
    sample_rate: int
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.waveforms)

    def only(self, places: Sequence[int]) -> Transcripts:
        """Some of the recordings, by their places."""
        return dataclasses.replace(
            self,
            waveforms=[self.waveforms[place] for place in places],
            texts=[self.texts[place] for place in places],
            paths=tuple(self.paths[place] for place in places),
        )


Split = LabelledTexts | Pairs | Recordings | Transcripts


def renumbered(name: str, labels: np.ndarray, own: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Class numbers of a model from those of a data set, called `name`, whose classes are `own`.

    Raises:
        DataError: There is a label that the model does not know.
    """
    if unknown := sorted(set(own) - set(classes)):
        raise DataError(f"{name}: label {unknown[0]!r} is not one of the model's classes ({', '.join(classes)})")
    return np.array([classes.index(label) for label in own], np.int64)[labels]
