"""Batches of sentence pairs: pairs of similar lengths on both sides together, so that little is padding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from rnnapps.datasets.padding import padded_batches, padded_rows

Segmented = tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]


class PairBatches:
    """Padded batches of ((source, target_in), target_out), epoch by epoch.

    A batch is as long as its longest sentences, and pairs are sorted by both lengths: the least padding, but so many
    shapes that XLA, which compiles each, does not pay.

    What an epoch holds, and in which order, follows from the seed and the number of the epoch alone, so an interrupted
    epoch continues with `batches.epoch(n).skip(done)`.

    Args:
        segmented: The pairs as ids in epoch n (from 0), ragged int32: source (pairs, None), and target_in and
            target_out, of equal lengths. The same n must give the same ids.
        batch_size: The number of pairs in a batch.
        max_length: The length at which longer sentences are cut. A cut target loses its end mark, so that a model does
            not learn to end there.
        seed: Shuffles pairs and batches anew each epoch; None keeps one fixed order, for validation and test.

    Attributes:
        steps: The number of batches in every epoch; all but one are full.

    Raises:
        ValueError: There are no pairs, or an argument is out of range.
    """

    def __init__(
        self,
        segmented: Callable[[int], Segmented],
        *,
        batch_size: int,
        max_length: int = 256,
        seed: int | None = None,
    ):
        if batch_size < 1 or max_length < 1:
            raise ValueError(f"batch_size and max_length must be at least 1, got {batch_size} and {max_length}")
        lengths = _lengths(segmented(0), max_length)
        if not lengths.shape[1]:
            raise ValueError("there are no pairs")
        self.steps = -(-lengths.shape[1] // batch_size)
        self._segmented = segmented
        self._batch_size = batch_size
        self._max_length = max_length
        self._seed = seed

    def order(self, epoch: int = 0) -> np.ndarray:
        """The pair at each place of an epoch: `losses[np.argsort(order)]` are in the order of the pairs."""
        return np.concatenate(self._batches(epoch, _lengths(self._segmented(epoch), self._max_length))[0])

    def epoch(self, epoch: int) -> tf.data.Dataset:
        """The batches of an epoch, prefetched: int32 ((batch, S), (batch, T)), (batch, T), padded with 0.

        Args:
            epoch: The number of the epoch, from 0. Without a seed the order of all epochs is the same.
        """
        with tf.device("CPU:0"):  # batches are made beside the model's device
            source, target_in, target_out = segmented = self._segmented(epoch)
            batches, shapes = self._batches(epoch, _lengths(segmented, self._max_length))

        def pad(indices: tf.Tensor, shape: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
            inputs = padded_rows(source, indices, shape[0]), padded_rows(target_in, indices, shape[1])
            return inputs, padded_rows(target_out, indices, shape[1])

        return padded_batches(batches, shapes, pad)

    def _batches(self, epoch: int, lengths: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """The pairs of each batch, and the padded lengths of each, int64 (batches, 2)."""
        rng = None if self._seed is None else np.random.default_rng((self._seed, epoch))
        pairs = np.arange(lengths.shape[1]) if rng is None else rng.permutation(lengths.shape[1])
        pairs = pairs[np.lexsort((lengths[1, pairs], lengths[0, pairs]))]
        batches = np.split(pairs, range(self._batch_size, len(pairs), self._batch_size))
        shapes = np.stack([lengths[:, batch].max(axis=1) for batch in batches])
        if rng is None:
            return batches, shapes
        places = rng.permutation(len(batches))
        return [batches[place] for place in places], shapes[places]


def _lengths(segmented: Segmented, max_length: int) -> np.ndarray:
    """The lengths of sources and targets, int64 (2, pairs); a batch of empty sentences is one step long."""
    source, target, _ = segmented
    return np.clip([source.row_lengths().numpy(), target.row_lengths().numpy()], 1, max_length)
