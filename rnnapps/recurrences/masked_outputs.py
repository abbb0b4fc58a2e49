"""What a masked recurrence puts out, by Keras's rule."""

from __future__ import annotations

import tensorflow as tf


def masked_outputs(outputs: tf.Tensor, mask: tf.Tensor, *, reverse: bool, zero_output_for_mask: bool) -> tf.Tensor:
    """The outputs of all steps.

    A recurrence repeats the state it holds at a masked step. Keras repeats the last output: the same, except before
    the first step that is read, where the output is zeros although an initial state is held.

    Args:
        outputs: `(batch, time, size)`, aligned with the mask.
        mask: bool `(batch, time)`.
        reverse: whether the steps are read from the last to the first.
        zero_output_for_mask: whether every masked step puts out zeros.
    """
    if not zero_output_for_mask:
        mask = tf.cumsum(tf.cast(mask, tf.int32), axis=1, reverse=reverse) > 0
    return tf.where(mask[:, :, tf.newaxis], outputs, 0)


def masked_last_output(output: tf.Tensor, mask: tf.Tensor, *, reverse: bool, zero_output_for_mask: bool) -> tf.Tensor:
    """The output of the last step that is read, `(batch, size)`, from that of the final state; mask as above.

    Sequences of no steps put out what their initial state stands for.
    """
    if zero_output_for_mask:
        last = mask[:, :1] if reverse else mask[:, -1:]
        counts = tf.reduce_all(last, axis=1)
    else:
        counts = tf.logical_or(tf.reduce_any(mask, axis=1), tf.equal(tf.shape(mask)[1], 0))
    return tf.where(counts[:, tf.newaxis], output, 0)
