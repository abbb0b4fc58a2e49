"""A weighted mean over time whose weights are learnt, for whole sequences and for streams."""

from __future__ import annotations

import math
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class AttentionPooling(keras.layers.Layer):
    """One vector for a sequence: the mean of its steps, weighted by a learnt gate.

        w_t = sigmoid(v . h_t + b) d^(T - t),   p = sum_t w_t h_t / (sum_t w_t + 1e-3)

    With a half-life, d = 2^(-1 / half_life), so that the past of a long stream fades. One gate per step, rather than a
    softmax over all steps, gives sums that a stream can carry along, and lets silence weigh nothing.

    Args:
        half_life: Number of steps after which a weight is halved; None for never.

    Call arguments:
        sequences: Float `(batch, time, features)`.
        mask: Boolean `(batch, time)`, False only at the end of a sequence; or None.

    Returns:
        Float32 `(batch, features)`; zeros for a sequence of no steps.

    Raises:
        ValueError: `half_life` is not above 0.

    Example:
        >>> AttentionPooling()(tf.ones((2, 7, 3))).shape
        TensorShape([2, 3])

    Reference:
        Yang et al., "Hierarchical attention networks for document classification", NAACL 2016, section 2.2.
    """

    def __init__(self, half_life: float | None = None, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if half_life is not None and half_life <= 0:
            raise ValueError(f"`half_life` must be above 0, or None for no fading, got {half_life}")
        self.half_life = half_life
        self.score = keras.layers.Dense(1, dtype="float32")
        self.supports_masking = True

    def build(self, sequences_shape: tuple[int | None, ...]) -> None:
        self.features = sequences_shape[-1]
        self.score.build(sequences_shape)

    def call(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        return self.stream(sequences, self.initial_state(tf.shape(sequences)[0]), mask)[0]

    def initial_state(self, batch_size: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The sums before the first step: of weighted steps `(batch, features)` and of weights `(batch, 1)`."""
        return tf.zeros([batch_size, self.features]), tf.zeros([batch_size, 1])

    def stream(
        self, chunk: tf.Tensor, state: tuple[tf.Tensor, tf.Tensor], mask: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """Pools one more chunk of a stream.

        Args:
            chunk: Float `(batch, steps, features)`, any number of steps.
            state: From `initial_state` or the previous call.
            mask: Boolean `(batch, steps)`, as of a call.

        Returns:
            The pooled vector of all steps so far `(batch, features)`, and the new state.
        """
        total, weight = state
        chunk = tf.cast(chunk, tf.float32)
        weights = self.gates(chunk, mask)
        if self.half_life:
            within, before = self._fading(self.half_life, chunk, mask)
            weights *= within
            total, weight = before * total, before * weight
        total += tf.matmul(weights, chunk, transpose_a=True)[:, 0]
        weight += tf.reduce_sum(weights, axis=1)
        return total / (weight + 1e-3), (total, weight)

    def gates(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
        """The gate of each step, before any fading: float32 `(batch, time, 1)`, from 0 to 1, 0 where masked."""
        gates = tf.sigmoid(tf.matmul(tf.cast(sequences, tf.float32), self.score.kernel) + self.score.bias)
        return gates if mask is None else gates * tf.cast(mask, tf.float32)[..., None]

    def _fading(self, half_life: float, chunk: tf.Tensor, mask: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        """Factors of the steps of a chunk, (batch or 1, steps, 1), and of what came before, (batch or 1, 1)."""
        if mask is None:
            steps = tf.cast(tf.shape(chunk)[1], tf.float32)
            age = tf.range(steps - 1, -1, -1)[None]
        else:
            real = tf.cast(mask, tf.float32)
            steps = tf.reduce_sum(real, axis=1, keepdims=True)
            age = steps - tf.cumsum(real, axis=1)  # real steps still to come
        rate = -math.log(2) / half_life  # of the logarithm, a step
        return tf.exp(rate * age)[..., None], tf.exp(rate * steps)

    def compute_mask(self, sequences: tf.Tensor, mask: tf.Tensor | None = None) -> None:
        return None  # no time axis is left

    def compute_output_shape(self, sequences_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (sequences_shape[0], sequences_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "half_life": self.half_life}
