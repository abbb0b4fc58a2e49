"""What `fit` asks of its data: the batches of epoch n, the same ones whenever it asks again."""

from __future__ import annotations

import dataclasses
from typing import Protocol, runtime_checkable

import tensorflow as tf


@runtime_checkable
class Batches(Protocol):
    """Batched data that can start any epoch afresh, which is what makes a run resumable in mid-epoch.

    Attributes:
        steps: The exact number of batches in every epoch.
    """

    steps: int

    def epoch(self, n: int) -> tf.data.Dataset:
        """Returns the batches of epoch `n` (from 0) in an order that depends on nothing but `n`."""


@dataclasses.dataclass(frozen=True)
class _SameEveryEpoch:
    """A plain data set: its own order (and shuffling, if any) in every epoch."""

    dataset: tf.data.Dataset
    steps: int

    def epoch(self, n: int) -> tf.data.Dataset:
        return self.dataset


def as_batches(data: Batches | tf.data.Dataset, name: str) -> Batches:
    """Returns `data` as `Batches`.

    Args:
        data: `Batches`, or a batched `tf.data.Dataset` whose cardinality is known. A data set that shuffles trains as
            well as any, but a resumed epoch is then in another order than the interrupted one.
        name: What to call `data` in an error message.

    Raises:
        TypeError: `data` is neither.
        ValueError: The data set is endless, or its length is unknown.
    """
    if isinstance(data, tf.data.Dataset):
        steps = int(data.cardinality())
        if steps == tf.data.INFINITE_CARDINALITY:
            raise ValueError(f"{name} never ends: drop its repeat(), fit() repeats it; or cut it with take(steps)")
        if steps == tf.data.UNKNOWN_CARDINALITY:
            raise ValueError(
                f"{name} does not know its number of batches: "
                "add .apply(tf.data.experimental.assert_cardinality(steps)) to it, or give an object with "
                "`steps` and `epoch(n)`"
            )
        return _SameEveryEpoch(data, steps)
    if isinstance(data, Batches):
        return data
    raise TypeError(
        f"{name} must be a batched tf.data.Dataset or have `steps` and `epoch(n)`; it is a {type(data).__name__}"
    )
