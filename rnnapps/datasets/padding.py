"""Batches of padded sequences from examples in memory, as `tf.data` sees them: what all kinds of batches share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.datasets.autotuning import without_autotuning


def padded_batches(
    batches: Sequence[np.ndarray], widths: np.ndarray, pad: Callable[[tf.Tensor, tf.Tensor], Any]
) -> tf.data.Dataset:
    """The batches of an epoch, prefetched.

    Args:
        batches: The examples of each batch, as indices.
        widths: What each batch is padded to: int64 (batches,), or (batches, sides).
        pad: From the indices of a batch, int64 (batch,), and its row of `widths` to the batch.
    """
    with tf.device("CPU:0"):  # batches are made beside the model's device
        sizes = np.array([len(batch) for batch in batches])
        order = tf.constant(np.concatenate(batches))
        table = tf.data.Dataset.from_tensor_slices((np.cumsum(sizes) - sizes, sizes, np.asarray(widths, np.int64)))

        def made(begin: tf.Tensor, size: tf.Tensor, width: tf.Tensor) -> Any:
            return pad(order[begin : begin + size], width)

        return without_autotuning(table.map(made, num_parallel_calls=2, deterministic=True).prefetch(tf.data.AUTOTUNE))


def padded_rows(column: tf.RaggedTensor, indices: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Rows of a column of sequences, (batch, width, ...): padded with zeros or "", and cut where they are longer."""
    features = column.flat_values.shape[1:]
    padded = tf.gather(column, indices).to_tensor(shape=tf.stack([-1, width, *features]))
    return tf.ensure_shape(padded, [None, None, *features])
