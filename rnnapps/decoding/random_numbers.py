"""Random numbers for drawing sequences: each row has its own seed, so it draws the same in every batch."""

from __future__ import annotations

import tensorflow as tf


def uniform(seed: tf.Tensor, length: tf.Tensor, count: tf.Tensor, sample: int = 0) -> tf.Tensor:
    """Numbers from 0 to 1 for each row, which depend only on the row's seed.

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
    numbers = step_uniform(seed, tf.fill(tf.shape(seed), sample), count)
    return tf.where(tf.sequence_mask(length, count), numbers, -1.0)


def step_uniform(seed: tf.Tensor, number: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """Numbers from 0 to 1 for one step of each row, which depend only on the row's seed and the step number.

    Args:
        seed: Int32 `(batch,)`.
        number: Int32 `(batch,)`, which step each row is at.
        count: How many numbers a row needs, int32.

    Returns:
        Float32 `(batch, count)`.

    Example:
        >>> one, two = step_uniform(tf.constant([7, 7]), tf.constant([0, 1]), 3).numpy()
        >>> one.shape, bool((one == two).any())
        ((3,), False)
    """
    numbers = tf.map_fn(
        lambda one: tf.random.stateless_uniform([count], one),
        tf.stack([seed, number], axis=1),
        fn_output_signature=tf.TensorSpec([None], tf.float32),
    )
    return tf.reshape(numbers, [tf.shape(seed)[0], count])
