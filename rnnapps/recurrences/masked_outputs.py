"""The outputs of a masked recurrence, by Keras's rule."""

from __future__ import annotations

import tensorflow as tf


def masked_outputs(outputs: tf.Tensor, mask: tf.Tensor, *, reverse: bool, zero_output_for_mask: bool) -> tf.Tensor:
    """The outputs of all steps.

    At a masked step a recurrence repeats the state that it holds, and Keras repeats the last output. The two are equal
    except before the first step that is read, where Keras's output is zeros although an initial state is held.

    Args:
        outputs: `(batch, time, size)`, aligned with the mask.
        mask: Bool `(batch, time)`.
        reverse: Whether the steps are read from the last to the first.
        zero_output_for_mask: Whether the output of every masked step is zeros.
    """
    if not zero_output_for_mask:
        mask = tf.cumsum(tf.cast(mask, tf.int32), axis=1, reverse=reverse) > 0
    return tf.where(mask[:, :, tf.newaxis], outputs, 0)


def masked_last_output(output: tf.Tensor, mask: tf.Tensor, *, reverse: bool, zero_output_for_mask: bool) -> tf.Tensor:
    """The output of the last step that is read.

    The output of a sequence without steps is that of its initial state.

    Args:
        output: `(batch, size)`, the output of the final state.
        mask: Bool `(batch, time)`.
        reverse: Whether the steps are read from the last to the first.
        zero_output_for_mask: Whether the output of every masked step is zeros.
    """
    if zero_output_for_mask:
        last = mask[:, :1] if reverse else mask[:, -1:]
        counts = tf.reduce_all(last, axis=1)
    else:
        counts = tf.logical_or(tf.reduce_any(mask, axis=1), tf.equal(tf.shape(mask)[1], 0))
    return tf.where(counts[:, tf.newaxis], output, 0)
