"""Batches of sequences in few padded shapes: grouped by length, shuffled anew each epoch, the same for the same seed.

XLA compiles a model once for every shape that it meets, and padding is computed like any other step. So lengths are
rounded up to a handful of boundaries, and a batch holds examples of similar length.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import tensorflow as tf

from rnnapps.datasets.padding import padded_batches, padded_rows

Column: TypeAlias = tf.Tensor | tf.RaggedTensor


def boundaries_for(lengths: Sequence[int], buckets: int = 5, *, max_length: int | None = None) -> list[int]:
    """The lengths to pad to that waste the fewest padded steps, found exactly by dynamic programming.

    Args:
        lengths: The lengths of the sequences, int (examples,).
        buckets: The largest number of boundaries.
        max_length: The length at which longer sequences will be cut; None if they will not be.

    Returns:
        Boundaries in ascending order; the last is the longest length (at most `max_length`).

    Raises:
        ValueError: There are no lengths, or `buckets` or `max_length` is below 1.

    Example:
        >>> boundaries_for([1, 2, 2, 9, 10], buckets=2)
        [2, 10]
    """
    if len(lengths) == 0 or buckets < 1 or (max_length is not None and max_length < 1):
        raise ValueError(
            "lengths must not be empty, and buckets and max_length must be at least 1,"
            f" got {len(lengths)}, {buckets}, {max_length}"
        )
    # A batch of empty sequences is one padded step long: few layers accept zero steps.
    values, counts = np.unique(np.clip(lengths, 1, max_length), return_counts=True)
    up_to = np.concatenate([[0], np.cumsum(counts)])
    # steps[j]: the fewest padded steps that hold the sequences of the j shortest lengths with the boundaries so far.
    steps = np.concatenate([[0.0], np.full(len(values), np.inf)])
    cuts: list[np.ndarray] = []
    for _ in range(min(buckets, len(values))):
        best = np.zeros_like(steps)
        cut: np.ndarray = np.zeros(len(steps), np.int64)
        for j in range(1, len(steps)):
            totals = steps[:j] + values[j - 1] * (up_to[j] - up_to[:j])
            cut[j] = np.argmin(totals)
            best[j] = totals[cut[j]]
        steps = best
        cuts.append(cut)
    boundaries, left = [], len(values)
    for cut in reversed(cuts):
        if left:
            boundaries.append(int(values[left - 1]))
            left = int(cut[left])
    return boundaries[::-1]


def bucket(
    examples: Sequence,
    *,
    batch_size: int,
    boundaries: Sequence[int] | int = 5,
    max_length: int | None = None,
    seed: int | None = None,
) -> BucketedBatches:
    """Batches examples of unequal length.

    Sequences are padded with zeros (strings with "") at the end, along their first axis, to the smallest boundary that
    holds the whole batch, and cut where they are longer than the last boundary. When an example has several sequences,
    the longest counts and all are padded alike. What is left over from one bucket fills up the next, so that at most
    one batch is not full.

    All examples are held in memory, without padding.

    Args:
        examples: A tuple of columns, in which a list of arrays (or a `tf.RaggedTensor`) holds sequences and an array
            holds anything else, for instance (tokens int32 (time,), label) or (frames float32 (time, features), label).
        batch_size: The number of examples in a batch.
        boundaries: The lengths to pad to, ascending; or how many of them `boundaries_for` chooses.
        max_length: The length to cut at, where `boundaries` is a number.
        seed: Shuffles examples and batches anew each epoch; None keeps one fixed order, for validation and test.

    Returns:
        The `BucketedBatches`.

    Raises:
        ValueError: There are no examples, or no sequences among them, or an argument is out of range.

    Example:
        >>> batches = bucket(([[5, 6, 7], [8]], np.array([0, 1])), batch_size=2, boundaries=[4])
        >>> [tokens.numpy().tolist() for tokens, label in batches.epoch(0)]
        [[[5, 6, 7, 0], [8, 0, 0, 0]]]
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    with tf.device("CPU:0"):  # batches are made beside the model's device
        columns = _columns(examples)
        ragged = [column.row_lengths().numpy() for column in columns if isinstance(column, tf.RaggedTensor)]
    if not ragged:
        raise ValueError("no component of the examples is a sequence, an array whose first axis varies in length")
    lengths = np.max(ragged, axis=0)
    if isinstance(boundaries, int):
        boundaries = boundaries_for(lengths, boundaries, max_length=max_length)
    elif max_length is not None:
        raise ValueError(
            "max_length needs boundaries to be a number; otherwise the last boundary is the maximum length"
        )
    if len(boundaries) == 0 or boundaries[0] < 1 or np.any(np.diff(np.asarray(boundaries)) <= 0):
        raise ValueError(f"boundaries must be positive and ascending, got {boundaries}")
    return BucketedBatches(columns, lengths, boundaries, batch_size, seed)


class BucketedBatches:
    """Padded batches of one data set, epoch by epoch; made by `bucket`.

    What an epoch holds, and in which order, follows from the seed and the number of the epoch alone, so an interrupted
    epoch continues with `batches.epoch(n).skip(done)`.

    Attributes:
        steps: The number of batches in every epoch.
        boundaries: The lengths that batches are padded to.
        lengths: The lengths of the examples before padding and cutting, int (examples,).
    """

    def __init__(
        self,
        columns: tuple[Column, ...],
        lengths: np.ndarray,
        boundaries: Sequence[int],
        batch_size: int,
        seed: int | None,
    ):
        self.lengths = lengths
        self.boundaries = tuple(int(boundary) for boundary in boundaries)
        self.steps = -(-len(lengths) // batch_size)
        self._columns = columns
        self._bucket: np.ndarray = np.searchsorted(self.boundaries, np.clip(lengths, 1, self.boundaries[-1]))
        self._batch_size = batch_size
        self._seed = seed

    def order(self, epoch: int = 0) -> np.ndarray:
        """The example at each place of an epoch: `predictions[np.argsort(order)]` are in the order of the examples."""
        return np.concatenate(self._batch_indices(epoch))

    def epoch(self, epoch: int) -> tf.data.Dataset:
        """The batches of an epoch, prefetched; `steps` of them.

        Args:
            epoch: The number of the epoch, from 0. Without a seed all epochs are alike.
        """
        batches = self._batch_indices(epoch)
        widths = [self.boundaries[self._bucket[batch].max()] for batch in batches]

        def pad(indices: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, ...]:
            return tuple(
                padded_rows(column, indices, width)
                if isinstance(column, tf.RaggedTensor)
                else tf.gather(column, indices)
                for column in self._columns
            )

        return padded_batches(batches, np.array(widths), pad)

    def _batch_indices(self, epoch: int) -> list[np.ndarray]:
        rng = None if self._seed is None else np.random.default_rng((self._seed, epoch))
        examples = np.arange(len(self.lengths)) if rng is None else rng.permutation(len(self.lengths))
        examples = examples[np.argsort(self._bucket[examples], kind="stable")]
        batches = np.split(examples, range(self._batch_size, len(examples), self._batch_size))
        return batches if rng is None else [batches[place] for place in rng.permutation(len(batches))]


def _columns(examples: Sequence) -> tuple[Column, ...]:
    columns = tuple(_column(column) for column in examples)
    sizes = {int(column.shape[0]) for column in columns}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(f"columns must not be empty and must have equal lengths, got {sorted(sizes)}")
    return columns


def _column(column: Sequence | np.ndarray | Column) -> Column:
    if isinstance(column, np.ndarray):
        return tf.convert_to_tensor(column)
    if isinstance(column, (tf.Tensor, tf.RaggedTensor)):
        return tf.identity(column)  # which may lie on another device
    rows = [np.asarray(row) for row in column]
    filled = [row for row in rows if row.size]  # an empty list would count as float64
    if not filled or any(row.ndim == 0 for row in filled):
        return tf.convert_to_tensor(np.asarray(column)) if filled else tf.ragged.constant([[]] * len(rows), tf.int32)
    return tf.RaggedTensor.from_row_lengths(np.concatenate(filled), [len(row) if row.size else 0 for row in rows])
