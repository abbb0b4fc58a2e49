"""Bags of word n-grams inside the graph: a linear part for a recurrent classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

_RADIX = 1_000_003  # prime; an n-gram is the number that has its word ids as digits
_MIXER = 0x9E3779B97F4A7C15 - 2**64  # odd: 2^64 over the golden ratio; products with it, modulo 2^64, use all bits
_OFFSET = 0x3C79AC492BA7B653  # any large number; multiples of it separate n-grams of different n
_FINGERPRINTS = 2**31 - 1  # prime
_EMPTY = -1  # the fingerprint of a bin without an n-gram
_PENDING = 2**22  # n-grams that are gathered before they are counted
_MOST_COUNTED = 2**24  # pairs of n-gram and class whose counts are kept


@keras.saving.register_keras_serializable("rnnapps")
class HashedNgrams(keras.layers.Layer):
    """Class logits from the set of word n-grams of a text, scaled by naive Bayes log-count ratios.

    With g ranging over the distinct n-grams (n = 1 to `order`) of a text, its logits are

        z_c = b_c + sum_g r_{g,c} w_{g,c},    r_{g,c} = log p(g | c) - log p(g | not c)

    where r is counted once from the training texts (`adapt`) and w is learnt. An n-gram counts when at least two of
    those texts contain it. Such n-grams are hashed to `bins` rows. When several share a row, the one in the most texts
    keeps it; its fingerprint tells it from all others, which add nothing.

    Args:
        classes: Number of classes.
        order: Longest n-gram, in words.
        bins: Number of rows. Each has two numbers per class and a fingerprint.
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
        self.fingerprint = self.add_weight(
            shape=(self.bins,),
            dtype="int32",
            initializer=keras.initializers.Constant(_EMPTY),
            trainable=False,
            name="fingerprint",
        )
        self.kernel = self.add_weight(shape=(self.bins, self.classes), initializer="zeros", name="kernel")
        self.bias = self.add_weight(shape=(self.classes,), initializer="zeros", name="bias")
        self.built = True

    def adapt(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Counts the texts of each class that contain an n-gram, and sets the log-count ratios from the counts.

        Beyond 16 million pairs of n-gram and class, the rarest n-grams so far are forgotten on the way.

        Args:
            batches: Pairs of word ids, integer `(batch, time)`, and class ids, integer `(batch,)`.
        """
        if not self.built:
            self.build()
        grams, labels, texts = _counted(self._occurrences(batches))
        first, gram, total = _totals(grams, texts)
        bins, fingerprints = (part.numpy() for part in self._place(tf.constant(grams[first])))
        often = np.flatnonzero(total > 1)
        rising = often[np.argsort(total[often], kind="stable")]
        owner, fingerprint = np.full(self.bins, -1), np.full(self.bins, _EMPTY)
        owner[bins[rising]] = rising  # the last one, in the most texts, stays
        fingerprint[bins[rising]] = fingerprints[rising]
        kept = owner[bins[gram]] == gram
        counts = np.zeros((self.bins, self.classes))
        counts[bins[gram[kept]], labels[kept]] = texts[kept]
        self.fingerprint.assign(fingerprint)
        self.log_count_ratio.assign(_log_count_ratios(counts, owner >= 0))

    def call(self, tokens: tf.Tensor) -> tf.Tensor:
        grams = self._distinct(tokens)
        bins, fingerprints = self._place(grams)
        present = (grams != 0) & (tf.gather(tf.convert_to_tensor(self.fingerprint), bins) == fingerprints)
        ratio = tf.gather(self.log_count_ratio, bins)
        weight = tf.gather(tf.convert_to_tensor(self.kernel), bins)
        evidence = ratio * weight * tf.expand_dims(tf.cast(present, ratio.dtype), -1)  # LiteRT lacks `[..., None]`
        return tf.reduce_sum(evidence, axis=1) + self.bias

    def _distinct(self, tokens: tf.Tensor) -> tf.Tensor:
        """The n-grams of each text as int64 numbers, `(batch, order * time)`; 0 for padding and repetitions."""
        tokens = tf.cast(tokens, tf.int64)
        time = tf.shape(tokens)[1]
        number, complete, grams = tokens, tokens > 0, []
        for n in range(1, self.order + 1):
            if n > 1:
                following = tf.pad(tokens[:, n - 1 :], [[0, 0], [0, tf.minimum(n - 1, time)]])
                number = number * _RADIX + following
                complete &= following > 0
            grams.append(tf.where(complete, number * _MIXER + n * _OFFSET % 2**62, 0))
        ordered = tf.sort(tf.concat(grams, axis=1), axis=1)
        before = tf.pad(ordered[:, :-1], [[0, 0], [tf.minimum(1, tf.shape(ordered)[1]), 0]])
        return tf.where(ordered == before, tf.zeros_like(ordered), ordered)

    def _place(self, grams: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Bins, int64, and fingerprints, int32, of n-grams."""
        return tf.math.floormod(grams, self.bins), tf.cast(tf.math.floormod(grams, _FINGERPRINTS), tf.int32)

    def _occurrences(self, batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The n-grams of the texts of each batch, and the class of the text that each stands in."""
        for tokens, labels in batches:
            grams = self._distinct(tf.convert_to_tensor(tokens)).numpy()
            text, position = np.nonzero(grams)
            yield grams[text, position], np.asarray(labels)[text]

    def compute_output_shape(self, tokens_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (tokens_shape[0], self.classes)

    def get_config(self) -> dict[str, Any]:
        names = ("classes", "order", "bins")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _counted(occurrences: Iterable[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, ...]:
    """Distinct pairs of n-gram and class, sorted, and the number of times that each occurs."""
    found: tuple[np.ndarray, ...] = (np.zeros(0, "int64"), np.zeros(0, "int64"), np.zeros(0, "int64"))
    pending: list[tuple[np.ndarray, ...]] = []
    for grams, labels in occurrences:
        pending.append((grams, labels, np.ones_like(labels)))
        if sum(len(grams) for grams, *_ in pending) >= _PENDING:
            found, pending = _sums([found, *pending]), []
            if len(found[0]) > _MOST_COUNTED:
                found = _most_frequent(*found)
    return _sums([found, *pending])


def _sums(parts: Sequence[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
    """Adds up the counts of equal pairs of n-gram and class."""
    grams, labels, counts = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.lexsort((labels, grams))
    grams, labels, counts = grams[order], labels[order], counts[order]
    first = np.flatnonzero((np.diff(grams, prepend=0) != 0) | (np.diff(labels, prepend=0) != 0))
    return grams[first], labels[first], np.add.reduceat(counts, first) if len(first) else counts


def _totals(grams: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of sorted pairs: where each n-gram begins, which n-gram each pair has, and the counts of the n-grams."""
    begins = np.diff(grams, prepend=0) != 0  # no n-gram is 0
    first = np.flatnonzero(begins)
    return first, np.cumsum(begins) - 1, np.add.reduceat(counts, first) if len(first) else counts


def _most_frequent(grams: np.ndarray, labels: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, ...]:
    """The pairs of the n-grams that occur most, at most `_MOST_COUNTED` of them, with all classes of each."""
    _, gram, total = _totals(grams, counts)
    total = total[gram]
    often = total > np.partition(total, -_MOST_COUNTED - 1)[-_MOST_COUNTED - 1]
    return grams[often], labels[often], counts[often]


def _log_count_ratios(counts: np.ndarray, used: np.ndarray) -> np.ndarray:
    """log p(g | c) - log p(g | not c) with Laplace's smoothing, and 0 in the rows that are not used."""
    ratios = np.zeros_like(counts)
    smooth = counts[used] + 1
    others = smooth.sum(axis=1, keepdims=True) - smooth
    ratios[used] = np.log(smooth / smooth.sum(axis=0)) - np.log(others / others.sum(axis=0))
    return ratios
