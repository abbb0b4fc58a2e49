"""What training minimises and shows: nats per time step or token, and accuracy, without padding.

Targets of chords are rows of the piano roll, 1 for each note that sounds, and -1 throughout for padding; those of
melodies are tokens, and `PAD`.

Reference:
    Boulanger-Lewandowski et al., ICML 2012, section 6 (log-likelihood of a time step); Bay, Ehmann, Downie, Evaluation
    of multiple-F0 estimation and tracking systems, ISMIR 2009, section 3.2 (accuracy).
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.music.melody_tokens import PAD


def step_nats(targets: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Negative log-likelihood of each step.

    Args:
        targets: Float32 `(batch, time, 88)`.
        logits: Float32 `(batch, time, 88)`, the log-odds of each note given the lower ones.

    Returns:
        Nats, 0 for padding, and 1 for each step that is not padding; both float32 `(batch, time)`.
    """
    real = tf.cast(targets[..., 0] >= 0, tf.float32)
    nats = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
    return tf.reduce_sum(nats, axis=-1) * real, real


@keras.saving.register_keras_serializable("rnnapps")
class StepNats(keras.losses.Loss):
    """The mean negative log-likelihood of a step."""

    nats = staticmethod(step_nats)

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        nats, real = self.nats(y_true, y_pred)
        return tf.reduce_sum(nats) / tf.maximum(tf.reduce_sum(real), 1.0)


@keras.saving.register_keras_serializable("rnnapps")
class MeanNats(keras.metrics.Mean):
    """The same over all batches, with equal weight for each step."""

    nats = staticmethod(step_nats)

    def __init__(self, name: str = "nats", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> None:
        nats, real = self.nats(y_true, y_pred)
        super().update_state(nats, sample_weight=real)


@keras.saving.register_keras_serializable("rnnapps")
class NoteAccuracy(keras.metrics.Mean):
    """Correct notes among those that sound or are predicted; a note is predicted if its log-odds exceed 0."""

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> None:
        right, either = note_counts(y_true, y_pred)
        super().update_state(right / tf.maximum(either, 1.0), sample_weight=either)


def note_counts(targets: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Number of notes that sound and are predicted, and of those that sound or are predicted; float32 scalars."""
    real, predicted = targets >= 0, logits > 0
    right = tf.math.count_nonzero(real & predicted & (targets > 0), dtype=tf.float32)
    either = tf.math.count_nonzero(real & (predicted | (targets > 0)), dtype=tf.float32)
    return right, either


def token_nats(targets: tf.Tensor, logits: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Negative log-likelihood of each token of a melody.

    Args:
        targets: Int32 `(batch, time)`.
        logits: Float32 `(batch, time, tokens)`.

    Returns:
        Nats, 0 for padding, and 1 for each token that is not padding; both float32 `(batch, time)`.
    """
    targets = tf.cast(targets, tf.int32)
    real = tf.cast(targets != PAD, tf.float32)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits) * real, real


@keras.saving.register_keras_serializable("rnnapps")
class TokenNats(StepNats):
    """The mean negative log-likelihood of a token."""

    nats = staticmethod(token_nats)


@keras.saving.register_keras_serializable("rnnapps")
class MeanTokenNats(MeanNats):
    """The same over all batches, with equal weight for each token."""

    nats = staticmethod(token_nats)


@keras.saving.register_keras_serializable("rnnapps")
class TokenAccuracy(keras.metrics.Mean):
    """The share of tokens that the model finds most probable."""

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: tf.Tensor, y_pred: tf.Tensor, sample_weight: Any = None) -> None:
        targets = tf.cast(y_true, tf.int32)
        right = tf.cast(tf.argmax(y_pred, axis=-1, output_type=tf.int32) == targets, tf.float32)
        super().update_state(right, sample_weight=tf.cast(targets != PAD, tf.float32))
