"""Distributions of the next value: from the outputs of a network to parameters, log density and samples.

Samples come from uniform numbers that are the same for every series of a batch: the answer for a series must not
depend on which other series are in its batch.
"""

from __future__ import annotations

import math

import tensorflow as tf

PARAMETERS = {"normal": 2, "student": 3, "negative-binomial": 2}
_HALVINGS = 40  # of the interval in which a negative binomial draw is looked for


def parameters(head: str, raw: tf.Tensor) -> tf.Tensor:
    """The outputs of a network as parameters, float32 `(..., parameters)`.

    Those of "normal" are location and scale, those of "student" also the degrees of freedom, which are above 2, and
    those of "negative-binomial" mean and shape: the variance is mean + mean² / shape.
    """
    positive = tf.nn.softplus(raw) + 1e-5
    if head == "negative-binomial":
        return positive
    return tf.concat([raw[..., :1], positive[..., 1:2], 2.0 + positive[..., 2:]], axis=-1)


def log_density(head: str, given: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """Log density, or log probability, of a value.

    Args:
        head: One of `PARAMETERS`.
        given: Parameters, float32 `(..., parameters)`.
        value: Float32 `(...)`.
    """
    if head == "negative-binomial":
        mean, shape = given[..., 0], given[..., 1]
        return (
            tf.math.lgamma(value + shape)
            - tf.math.lgamma(shape)
            - tf.math.lgamma(value + 1)
            + shape * (tf.math.log(shape) - tf.math.log(shape + mean))
            + value * (tf.math.log(mean) - tf.math.log(shape + mean))
        )
    location, scale = given[..., 0], given[..., 1]
    distance = (value - location) / scale
    if head == "normal":
        return -0.5 * tf.square(distance) - tf.math.log(scale) - 0.5 * math.log(2 * math.pi)
    freedom = given[..., 2]
    return (
        tf.math.lgamma((freedom + 1) / 2)
        - tf.math.lgamma(freedom / 2)
        - 0.5 * tf.math.log(freedom * math.pi)
        - tf.math.log(scale)
        - (freedom + 1) / 2 * tf.math.log1p(tf.square(distance) / freedom)
    )


def draw(head: str, given: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Draws a value for each path.

    Args:
        head: One of `PARAMETERS`.
        given: Parameters, float32 `(batch, paths, parameters)`.
        uniform: Uniform numbers in (0, 1), float32 `(2, paths)`.

    Returns:
        Float32 `(batch, paths)`.
    """
    first, second = uniform[0], uniform[1]
    if head == "negative-binomial":
        return _negative_binomial(given[..., 0], given[..., 1], first)
    location, scale = given[..., 0], given[..., 1]
    if head == "normal":
        return location + scale * math.sqrt(2) * tf.math.erfinv(2 * first - 1)
    # Bailey, "Polar generation of random variates with the t-distribution", Mathematics of Computation 62 (1994).
    freedom = given[..., 2]
    radius = tf.sqrt(freedom * tf.math.expm1(-2 / freedom * tf.math.log(first)))
    return location + scale * radius * tf.cos(2 * math.pi * second)


def _negative_binomial(mean: tf.Tensor, shape: tf.Tensor, level: tf.Tensor) -> tf.Tensor:
    """The smallest count whose distribution function reaches a level, found by halving an interval."""
    low = tf.zeros_like(mean) - 1.0
    high = mean + 60.0 * tf.sqrt(mean + tf.square(mean) / shape) + 60.0
    chance = shape / (shape + mean)

    def halve(number: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        middle = tf.floor((low + high) / 2)
        enough = tf.math.betainc(shape, middle + 1, chance) >= level
        return number + 1, tf.where(enough, low, middle), tf.where(enough, middle, high)

    _, _, high = tf.while_loop(lambda number, *_: number < _HALVINGS, halve, (0, low, tf.math.ceil(high)))
    return high
