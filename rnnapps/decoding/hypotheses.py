"""The result of decoding, the comparison of hypotheses of unequal length, and what the searches share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

Step = Callable[[tf.Tensor, Any, Any], tuple[tf.Tensor, Any]]

# A log-probability, so that the end can be forced at the maximum length even if a model rules it out.
LEAST_END = -1e4


class Hypotheses(NamedTuple):
    """Sequences found for each sentence of a batch, the best first.

    Attributes:
        ids: Int32 `(batch, n, time)`, the tokens without start and end, then padding; `time` is the longest length.
        scores: Float32 `(batch, n)`, log-probabilities over `length_penalty`; -inf where there is no hypothesis.
        lengths: Int32 `(batch, n)`, the number of tokens.
    """

    ids: tf.Tensor
    scores: tf.Tensor
    lengths: tf.Tensor


def length_penalty(tokens: Any, alpha: float) -> tf.Tensor:
    """The divisor of a log-probability that keeps short hypotheses from being preferred for being short.

        ((5 + |Y|) / 6) ** alpha,    |Y| = `tokens`

    Args:
        tokens: Number of tokens, the end included: a number or an integer tensor.
        alpha: Exponent; 0 compares plain log-probabilities.

    Returns:
        Float32 of the shape of `tokens`.

    Example:
        >>> float(length_penalty(7, 1.0))
        2.0

    Reference:
        Wu et al., Google's neural machine translation system, 2016, equation 14 (without the coverage term).
    """
    return ((5.0 + tf.cast(tokens, tf.float32)) / 6.0) ** alpha


def log_normaliser(logits: tf.Tensor, highest: tf.Tensor) -> tf.Tensor:
    """log Σ exp(logits) over the last axis, of which `highest` is the maximum.

    The softmax gives the highest logit the probability exp(highest - log Σ exp(logits)); its kernel passes over the
    vocabulary in about half the time of separate exponential and sum ops.
    """
    return highest - tf.math.log(tf.reduce_max(tf.nn.softmax(logits), axis=-1))


def per_sentence(batch: tf.Tensor, value: Any) -> tf.Tensor:
    """Int32 `(batch,)` from one number for all sentences or one for each; at least 0."""
    return tf.broadcast_to(tf.maximum(tf.cast(value, tf.int32), 0), [batch])


def batch_size(states: Any, constants: Any) -> tf.Tensor:
    return tf.shape(tf.nest.flatten((states, constants))[0])[0]


def any_rows(nest: Any, *, free: int = 1) -> Any:
    """The static shapes of a nest with the first `free` axes unknown, for a loop that changes them."""
    return tf.nest.map_structure(lambda x: tf.TensorShape([None] * free).concatenate(x.shape[free:]), nest)


def with_pad_column(ids: tf.Tensor, pad: int) -> tf.Tensor:
    return tf.pad(ids, [[0, 0], [0, 0], [0, 1]], constant_values=pad)


def only_rows(constants: Any, rows: tf.Tensor, shrinks: tf.Tensor) -> Any:
    """Some rows of a nest of `(all, ...)`; the nest itself, without a copy, unless it shrinks."""
    if not tf.nest.flatten(constants):
        return constants
    return tf.cond(shrinks, lambda: tf.nest.map_structure(lambda x: tf.gather(x, rows), constants), lambda: constants)
