"""A pyramid of recurrent layers: neighbouring steps of one layer become a single step of the next.

Reference: Chan et al., "Listen, attend and spell", ICASSP 2016, section 3.1.
"""

from __future__ import annotations

import tensorflow as tf


def join_steps(sequence: tf.Tensor, count: int) -> tf.Tensor:
    """Joins every `count` neighbouring steps into one; leftover steps at the end are dropped.

    Args:
        sequence: (batch, time, features).
        count: How many steps become one.

    Returns:
        (batch, time // count, count * features).

    Example:
        >>> join_steps(tf.reshape(tf.range(5), [1, 5, 1]), 2).numpy().tolist()
        [[[0, 1], [2, 3]]]
    """
    batch, time = tf.unstack(tf.shape(sequence)[:2])
    features = sequence.shape[2]
    return tf.reshape(sequence[:, : time // count * count], [batch, time // count, count * features])


def join_mask(mask: tf.Tensor, count: int) -> tf.Tensor:
    """The mask of joined steps, boolean (batch, time // count), from that of the steps: real if the last of them is."""
    return mask[:, count - 1 :: count]


def join_stream(sequence: tf.Tensor, left: tf.Tensor, count: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Joins the steps of a chunk and those left over from earlier chunks.

    Args:
        sequence: The steps of the chunk, (batch, time, features).
        left: Steps that were too few to be joined, (batch, less than `count`, features).
        count: How many steps become one.

    Returns:
        The joined steps, and the leftover ones.
    """
    steps = tf.concat([left, sequence], axis=1)
    joined = join_steps(steps, count)
    return joined, steps[:, tf.shape(joined)[1] * count :]
