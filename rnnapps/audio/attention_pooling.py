"""A weighted mean over time whose weights are learnt, for whole sequences and for streams."""

import math

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("rnnapps")
class AttentionPooling(keras.layers.Layer):
    """One vector for a sequence: the mean of its steps, weighted by how much each has to say.

        w_t = sigmoid(v . h_t + b) d^(T - t),   p = sum_t w_t h_t / (sum_t w_t + 1e-3)

    With a half-life, d = 2^(-1 / half_life): in a long stream what was said some time ago fades. A gate for each step
    in place of a softmax over all of them makes sums that a stream can carry along, and lets silence weigh nothing.

    Args:
        half_life: steps after which a weight is halved; None for never.

    Call arguments:
        sequences: float (batch, time, features).
        mask: bool (batch, time), False only at the end of a sequence; or None.

    Output:
        float (batch, features); zeros for a sequence of no steps.

    Example:
        >>> AttentionPooling()(tf.ones((2, 7, 3))).shape
        TensorShape([2, 3])

    Reference:
        Yang et al., "Hierarchical attention networks for document classification", NAACL 2016, section 2.2.
    """

    def __init__(self, half_life: float | None = None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if half_life is not None and half_life <= 0:
            raise ValueError(f"half_life must be above 0, or None for no fading; got {half_life}")
        self.half_life = half_life
        self.score = keras.layers.Dense(1, dtype="float32")
        self.supports_masking = True

    def build(self, sequences_shape):
        self.features = sequences_shape[-1]
        self.score.build(sequences_shape)

    def call(self, sequences, mask=None):
        return self.stream(sequences, self.initial_state(tf.shape(sequences)[0]), mask)[0]

    def initial_state(self, batch_size):
        """Nothing seen: the sum of weighted steps (batch, features) and of the weights (batch, 1)."""
        return tf.zeros([batch_size, self.features]), tf.zeros([batch_size, 1])

    def stream(self, chunk, state, mask=None):
        """The pooled vector after a chunk of steps, and the new state."""
        total, weight = state
        chunk = tf.cast(chunk, tf.float32)
        weights = tf.sigmoid(tf.matmul(chunk, self.score.kernel) + self.score.bias)  # (batch, steps, 1)
        if mask is not None:
            weights *= tf.cast(mask, tf.float32)[..., None]
        if self.half_life:
            kept, past = self._fading(chunk, mask)
            weights *= kept
            total, weight = past * total, past * weight
        total += tf.matmul(weights, chunk, transpose_a=True)[:, 0]
        weight += tf.reduce_sum(weights, axis=1)
        return total / (weight + 1e-3), (total, weight)

    def _fading(self, chunk, mask):
        """What the steps of a chunk count at its end, (batch or 1, steps, 1), and what came before, (batch or 1, 1)."""
        if mask is None:
            steps = tf.cast(tf.shape(chunk)[1], tf.float32)
            age = tf.range(steps - 1, -1, -1)[None]
        else:
            real = tf.cast(mask, tf.float32)
            steps = tf.reduce_sum(real, axis=1, keepdims=True)
            age = steps - tf.cumsum(real, axis=1)  # real steps still to come
        rate = -math.log(2) / self.half_life
        return tf.exp(rate * age)[..., None], tf.exp(rate * steps)

    def compute_mask(self, sequences, mask=None):
        return None

    def compute_output_shape(self, sequences_shape):
        return (sequences_shape[0], sequences_shape[-1])

    def get_config(self):
        return {**super().get_config(), "half_life": self.half_life}
