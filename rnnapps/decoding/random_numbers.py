"""The numbers that sequences are drawn with: each row has its own seed, so it draws the same in every batch."""

from __future__ import annotations

import tensorflow as tf


def uniform(seed: tf.Tensor, length: tf.Tensor, count: tf.Tensor, sample: int = 0) -> tf.Tensor:
    """Numbers from 0 to 1 for each row, which depend on the row's seed alone.

    Args:
        seed: Int32 `(batch,)`.
        length: Int32 `(batch,)`, how many numbers each row needs.
        count: Int32 scalar, at least the greatest length.
        sample: Which of several sequences of a seed.

    Returns:
        Float32 `(batch, count)`; -1 after the first `length` numbers of a row.

    Example:
        >>> one, two = uniform(tf.constant([7, 7]), tf.constant([2, 3]), tf.constant(3)).numpy()
        >>> bool((one[:2] == two[:2]).all()), float(one[2])
        (True, -1.0)
    """
    numbers = tf.map_fn(
        lambda one: tf.random.stateless_uniform([count], tf.stack([one, sample])),
        seed,
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
    numbers = tf.reshape(numbers, [tf.shape(seed)[0], count])
    return tf.where(tf.sequence_mask(length, count), numbers, -1.0)
