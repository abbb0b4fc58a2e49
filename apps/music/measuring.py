"""What both reports measure with: sums over batches, and tunes that a model writes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

_BARS = 16


def sums(measure: Callable[..., Sequence[tf.Tensor]], batches: Iterable[tuple[Any, ...]]) -> np.ndarray:
    """The sums of figures over batches, float64 (figures,).

    Args:
        measure: From a batch to its figures, scalars.
        batches: The arguments of `measure`.
    """
    measure = tf.function(measure, reduce_retracing=True, autograph=False)
    return np.sum(np.array([[float(value) for value in measure(*batch)] for batch in batches], np.float64), axis=0)


def write_texts(write: Callable[..., tf.Tensor], keys: Sequence[str], metres: Sequence[str]) -> list[str]:
    """Tunes of 16 bars at temperature 1, each in a key and a metre, as texts.

    Args:
        write: A function of prime, bars, key, metre, temperature and seed, each `(batch,)`.
        keys: The names of the keys; "" for none.
        metres: Time signatures, one per key.
    """
    count = len(keys)
    texts = tf.function(write, autograph=False)(
        tf.constant([""] * count),
        tf.constant([_BARS] * count),
        tf.constant(keys),
        tf.constant(metres),
        tf.constant([1.0] * count),
        tf.range(count),
    )
    return [text.decode() for text in texts.numpy()]
