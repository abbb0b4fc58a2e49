"""The loss of connectionist temporal classification: the probability of a text, whichever steps its tokens fall on."""

from __future__ import annotations

import tensorflow as tf


def ctc_loss(logits: tf.Tensor, steps: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """-log p(labels | logits) of each row, summed over all ways to spread its tokens over the steps.

    A row that cannot be spelt in its steps, because it has too few of them or no tokens, has the loss 0 and no
    gradient, so that it never spoils the batch. TensorFlow's operation for a CPU computes loss and gradient together,
    and is some ten times as fast as `tf.nn.ctc_loss` with dense labels.

    Args:
        logits: Float `(batch, time, tokens + 1)`; the last class is the blank.
        steps: Integer `(batch,)`, the number of real steps of each row.
        labels: Integer `(batch, length)`, tokens from 0, then -1 for padding.

    Returns:
        The losses in nats, float32 `(batch,)`, and which rows can be spelt, bool `(batch,)`.

    Example:
        >>> losses, spelt = ctc_loss(tf.zeros((2, 3, 3)), tf.constant([3, 3]), tf.constant([[0, -1], [1, 1]]))
        >>> [round(float(p), 3) for p in tf.exp(-losses)], spelt.numpy().tolist()
        ([0.222, 0.037], [True, True])

    Reference:
        Graves, Fernández, Gomez and Schmidhuber, "Connectionist temporal classification: labelling unsegmented sequence
        data with recurrent neural networks", ICML 2006.
    """
    labels, steps = tf.cast(labels, tf.int32), tf.cast(steps, tf.int32)
    labels = tf.pad(labels, [[0, 0], [0, 1]], constant_values=-1)  # room for the stand-in below
    spelt = (needed_steps(labels) <= steps) & tf.reduce_any(labels >= 0, axis=1)
    # The operation refuses empty labels, and takes a row of no steps for one without loss.
    stand_in = tf.concat([tf.zeros_like(labels[:, :1]), tf.fill(tf.shape(labels[:, 1:]), -1)], axis=1)
    labels = tf.where(spelt[:, None], labels, stand_in)
    steps = tf.where(spelt, steps, 0)
    places = tf.where(labels >= 0)
    losses, _ = tf.raw_ops.CTCLoss(
        inputs=tf.transpose(tf.cast(logits, tf.float32), [1, 0, 2]),
        labels_indices=places,
        labels_values=tf.gather_nd(labels, places),
        sequence_length=steps,
        ignore_longer_outputs_than_inputs=True,
    )
    return losses, spelt


def needed_steps(labels: tf.Tensor) -> tf.Tensor:
    """The fewest steps that spell labels `(batch, length)`: one a token, and a blank between equal ones; int32."""
    real = labels >= 0
    repeated = tf.equal(labels[:, 1:], labels[:, :-1]) & real[:, 1:]
    return tf.math.count_nonzero(real, axis=1, dtype=tf.int32) + tf.math.count_nonzero(repeated, axis=1, dtype=tf.int32)
