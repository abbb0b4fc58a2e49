"""What `fit` needs of its data: the batches of epoch n, the same ones whenever it asks again."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol, TypeAlias, runtime_checkable

import keras
import tensorflow as tf

from rnnapps.training.array_batches import ArrayBatches, PyDatasetBatches


@runtime_checkable
class Batches(Protocol):
    """Batched data that can start any epoch afresh, which is what makes a run resumable in mid-epoch.

    Attributes:
        steps: The exact number of batches in every epoch.
    """

    steps: int

    def epoch(self, n: int) -> tf.data.Dataset:
        """Returns the batches of epoch `n` (from 0) in an order that depends on nothing but `n`."""


@dataclasses.dataclass
class _SameEveryEpoch:
    """A plain data set: its own order (and shuffling, if any) in every epoch."""

    dataset: tf.data.Dataset
    steps: int

    def epoch(self, n: int) -> tf.data.Dataset:
        return self.dataset


# What `fit` takes as training or validation data; see `as_batches`.
Data: TypeAlias = "Batches | tf.data.Dataset | keras.utils.PyDataset | tuple[Any, ...]"


def as_batches(data: Data, name: str, *, batch_size: int | None = None, shuffle: bool = False) -> Batches:
    """Makes `Batches` of whatever `fit` takes.

    Args:
        data: `Batches`; a batched `tf.data.Dataset` whose cardinality is known (one that shuffles trains as well as
            any, but a resumed epoch is then in another order than the interrupted one); a `keras.utils.PyDataset` that
            knows its length; or a tuple of arrays `(x, y)` or `(x, y, sample_weight)`, each an array or a structure of
            arrays.
        name: What to call `data` in an error message.
        batch_size: Examples in a batch of arrays; 32 by default, as in Keras.
        shuffle: Whether arrays are shuffled in every epoch, and the batches of a `PyDataset`.

    Returns:
        The batches.

    Raises:
        TypeError: `data` is none of these.
        ValueError: The data are endless, or their length is unknown, or arrays differ in length, or `batch_size` is
            given for data that have batches already.
    """
    if isinstance(data, tuple):
        return ArrayBatches(data, name, 32 if batch_size is None else batch_size, shuffle)
    if batch_size is not None:
        raise ValueError(f"batch_size is for arrays, but {name} is batched already; leave it out, got {batch_size}")
    if isinstance(data, keras.utils.PyDataset):
        return PyDatasetBatches(data, name, shuffle)
    if isinstance(data, tf.data.Dataset):
        steps = int(data.cardinality())
        if steps == tf.data.INFINITE_CARDINALITY:
            raise ValueError(f"{name} is infinite: remove repeat(), as fit() repeats it, or use take(steps)")
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
        f"{name} must be a tuple of arrays (x, y), a batched tf.data.Dataset, a keras.utils.PyDataset, or have `steps` "
        f"and `epoch(n)`, got a {type(data).__name__}"
    )
