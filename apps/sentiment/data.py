"""From a named data set or a path to labelled texts, and on to batches of word ids."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from rnnapps.datasets import Batches, DataError, Dataset, bucket, load
from rnnapps.datasets.dataset import skipped

SPLITS = ("train", "validation", "test")
_BATCH = 2048


@dataclass(frozen=True)
class Reviews:
    """One split in memory.

    Attributes:
      texts: the texts, UTF-8.
      labels: the class of each, int64 (examples,).
      dataset: what else is known about the split: classes, name, rejected rows.
    """

    texts: list[bytes]
    labels: np.ndarray
    dataset: Dataset

    def with_classes(self, classes: Sequence[str]) -> "Reviews":
        """The same texts with the class numbers of a model.

        Raises:
          DataError: if there are labels that the model does not know.
        """
        if unknown := sorted(set(self.dataset.classes) - set(classes)):
            raise DataError(
                f"{self.dataset.name}: label {unknown[0]!r} is none of the model's classes ({', '.join(classes)})"
            )
        numbers = np.array([classes.index(name) for name in self.dataset.classes])
        return replace(self, labels=numbers[self.labels])


def summary(splits: Iterable[Reviews]) -> Iterator[str]:
    """Lines that say what was loaded, and which rows were skipped."""
    splits = list(splits)
    known = splits[0].dataset
    sizes = ", ".join(f"{split.dataset.split} {len(split.texts):,}" for split in splits)
    yield f"{known.name}: {sizes}; classes {', '.join(known.classes)}"
    yield from skipped(known.rejected, "row", "rows")


def reviews(
    dataset: str,
    split: str,
    *,
    data_dir: Path | None = None,
    seed: int = 0,
    strict: bool = False,
    text_column: str = "text",
    label_column: str = "label",
) -> Reviews:
    """Loads one split; see `rnnapps.datasets.load` for the arguments and errors."""
    found = load(
        dataset,
        split,
        data_dir=data_dir,
        seed=seed,
        strict=strict,
        text_column=text_column,
        label_column=label_column,
    )
    texts, labels = [], []
    for text_batch, label_batch in found.examples.batch(_BATCH).as_numpy_iterator():
        texts.extend(text_batch.tolist())
        labels.append(label_batch)
    return Reviews(texts, np.concatenate(labels), found)


def batches(model, split: Reviews, batch_size: int, *, buckets: int = 6, seed: int | None = None) -> Batches:
    """Batches of (tokens int32 (batch, time), labels int64 (batch,)) in a few padded lengths.

    Args:
      model: the classifier, whose vocabulary and `max_length` apply.
      split: the texts.
      batch_size: texts a batch.
      buckets: padded lengths; each costs one compilation where XLA is used.
      seed: shuffles anew each epoch; None keeps a fixed order.
    """
    tokens = tf.concat(
        [model.tokens(tf.constant(split.texts[i : i + _BATCH])) for i in range(0, len(split.texts), _BATCH)], axis=0
    )
    return bucket(
        (tf.cast(tokens, tf.int32), split.labels),
        batch_size=batch_size,
        boundaries=buckets,
        max_length=model.options["max_length"],
        seed=seed,
    )
