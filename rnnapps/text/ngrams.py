"""Bags of word n-grams inside the graph: a linear part for a recurrent classifier."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_MULTIPLIER = 1_000_003  # prime; spreads the ids of neighbouring words over the bins


@keras.saving.register_keras_serializable("rnnapps")
class HashedNgrams(keras.layers.Layer):
    """Class logits from the set of word n-grams of a text, scaled by naive Bayes log-count ratios.

    With g ranging over the distinct n-grams (n = 1 to `order`) of a text, its logits are

        z_c = b_c + sum_g r_{g,c} w_{g,c},    r_{g,c} = log p(g | c) - log p(g | not c)

    where r is counted once from the training texts (`adapt`) and w is learnt. N-grams have no vocabulary: each is
    hashed to one of `bins` rows.

    Args:
        classes: Number of classes.
        order: Longest n-gram, in words.
        bins: Number of hash bins. Each has two weights per class.
        **kwargs: `name`, `dtype`, `trainable`, as of any Keras layer.

    Call arguments:
        tokens: Integer `(batch, time)`, word ids; 0 is padding.

    Returns:
        Float `(batch, classes)`.

    Raises:
        ValueError: `order` is not from 1 to 8, or there are fewer than two classes or bins.

    Reference:
        Wang and Manning, "Baselines and Bigrams: Simple, Good Sentiment and Topic Classification", ACL 2012.

    Example:
        >>> layer = HashedNgrams(classes=2, order=2, bins=64)
        >>> layer.adapt([(np.array([[5, 6], [7, 0]]), np.array([0, 1]))])
        >>> tuple(layer(np.array([[5, 6, 0]])).shape)
        (1, 2)
    """

    def __init__(self, classes: int, order: int = 3, bins: int = 2**21, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 1 <= order <= 8:
            raise ValueError(f"`order` must be from 1 to 8, got {order}")
        if classes < 2 or bins < 2:
            raise ValueError(f"`classes` and `bins` must be at least 2, got {classes} and {bins}")
        self.classes = classes
        self.order = order
        self.bins = bins

    def build(self, tokens_shape: tuple[int | None, ...] | None = None) -> None:
        self.log_count_ratio = self.add_weight(
            shape=(self.bins, self.classes), initializer="zeros", trainable=False, name="log_count_ratio"
        )
        self.kernel = self.add_weight(shape=(self.bins, self.classes), initializer="zeros", name="kernel")
        self.bias = self.add_weight(shape=(self.classes,), initializer="zeros", name="bias")
        self.built = True

    def adapt(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Counts the texts of each class in which an n-gram occurs, and sets the log-count ratios from the counts.

        An n-gram that occurs in a single text says nothing about others and keeps the ratio 0.

        Args:
            batches: Pairs of word ids, integer `(batch, time)`, and class ids, integer `(batch,)`.
        """
        if not self.built:
            self.build()
        counts = np.zeros((self.bins, self.classes), dtype="float64")
        for tokens, labels in batches:
            bins, present = self._distinct(tf.convert_to_tensor(tokens))
            text, position = np.nonzero(present.numpy())
            np.add.at(counts, (bins.numpy()[text, position], np.asarray(labels)[text]), 1)
        once = counts.sum(axis=1) < 2
        counts += 1  # Laplace
        others = counts.sum(axis=1, keepdims=True) - counts
        ratio = np.log(counts / counts.sum(axis=0)) - np.log(others / others.sum(axis=0))
        ratio[once] = 0
        self.log_count_ratio.assign(ratio)

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        bins, present = self._distinct(tokens)
        ratio = tf.gather(self.log_count_ratio, bins)
        weight = tf.gather(tf.convert_to_tensor(self.kernel), bins)
        evidence = ratio * weight * tf.expand_dims(tf.cast(present, ratio.dtype), -1)  # LiteRT lacks `[..., None]`
        return tf.reduce_sum(evidence, axis=1) + self.bias

    def _distinct(self, tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Sorted bins `(batch, order * time)`, and a mask that is True where a bin first occurs and is not padding."""
        tokens = tf.cast(tokens, tf.int64)
        time = tf.shape(tokens)[1]
        hashed, complete, grams = tokens, tokens > 0, []
        for n in range(1, self.order + 1):
            if n > 1:
                following = tf.pad(tokens[:, n - 1 :], [[0, 0], [0, tf.minimum(n - 1, time)]])
                hashed = hashed * _MULTIPLIER + following
                complete &= following > 0
            # Another factor separates the n-grams of different n. The remainder is the bin; bin 0 means "no n-gram".
            bins = 1 + tf.math.floormod(hashed * (2 * n + 1) + n, self.bins - 1)
            grams.append(tf.where(complete, bins, 0))
        bins = tf.sort(tf.concat(grams, axis=1), axis=1)
        before = tf.pad(bins[:, :-1], [[0, 0], [tf.minimum(1, tf.shape(bins)[1]), 0]])
        return bins, (bins > 0) & (bins != before)

    def compute_output_shape(self, tokens_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (tokens_shape[0], self.classes)

    def get_config(self) -> dict[str, Any]:
        names = ("classes", "order", "bins")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}
