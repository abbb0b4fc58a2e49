"""Batches of arrays in memory and of a `keras.utils.PyDataset`, in an order that follows from the epoch's number."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf


class ArrayBatches:
    """Batches of arrays, as `keras.Model.fit` makes them.

    Args:
        arrays: `(x, y)` or `(x, y, sample_weight)`, each an array, a tensor or a structure of them, with the examples
            along the first axis.
        name: What to call the arrays in an error message.
        batch_size: Examples in a batch; the last batch may have fewer.
        shuffle: Whether each epoch has an order of its own.

    Attributes:
        steps: Number of batches.

    Raises:
        ValueError: The arrays differ in length, there are none, or `batch_size` is below 1.
    """

    def __init__(self, arrays: tuple[Any, ...], name: str, batch_size: int, shuffle: bool) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if not 1 <= len(arrays) <= 3:
            raise ValueError(f"{name} must be (x, y) or (x, y, sample_weight), got a tuple of {len(arrays)}")
        given = arrays[: max((place + 1 for place, array in enumerate(arrays) if array is not None), default=0)]
        if any(array is None for array in given):
            raise ValueError(f"{name} has None before an array; leave out what comes after it, or give all of them")
        self._arrays = tf.nest.map_structure(lambda array: tf.convert_to_tensor(_converted(array)), given)
        lengths = {int(array.shape[0]) for array in tf.nest.flatten(self._arrays)}
        if len(lengths) != 1:
            raise ValueError(f"the arrays of {name} must have the same length, got {sorted(lengths)}")
        (self._examples,) = lengths
        self._batch_size, self._shuffle = batch_size, shuffle
        self.steps = math.ceil(self._examples / batch_size)

    def epoch(self, n: int) -> tf.data.Dataset:
        """Returns the batches of epoch `n`."""
        order = np.random.default_rng(n).permutation(self._examples) if self._shuffle else np.arange(self._examples)
        rows = tf.data.Dataset.from_tensor_slices(order).batch(self._batch_size)
        return rows.map(lambda rows: tf.nest.map_structure(lambda array: tf.gather(array, rows), self._arrays))


class PyDatasetBatches:
    """The batches of a `keras.utils.PyDataset`.

    `on_epoch_begin` and `on_epoch_end` are called as Keras does, also for the epochs that a resumed run does not
    repeat, so that a data set that changes between epochs is in the state of the interrupted run.

    Args:
        dataset: The data set. As many batches are made at a time, in threads, as its `workers` says.
        name: What to call it in an error message.
        shuffle: Whether each epoch has its batches in an order of its own.

    Attributes:
        steps: Number of batches.

    Raises:
        ValueError: The data set does not know its length.
    """

    def __init__(self, dataset: keras.utils.PyDataset, name: str, shuffle: bool) -> None:
        try:
            steps = dataset.num_batches
        except NotImplementedError:
            steps = None
        if steps is None:
            raise ValueError(f"{name} must know its number of batches: give the PyDataset a __len__, got None")
        self._dataset, self._shuffle = dataset, shuffle
        self._epoch = -1
        self.steps = int(steps)
        self._specs: Any = None

    def epoch(self, n: int) -> tf.data.Dataset:
        """Returns the batches of epoch `n`."""
        while self._epoch < n:
            if self._epoch >= 0:
                self._dataset.on_epoch_end()
            self._dataset.on_epoch_begin()
            self._epoch += 1
        if self._specs is None:
            # Two batches tell which dimensions vary, as in Keras.
            batches = [_batch(self._dataset[index]) for index in range(min(2, self.steps))]
            self._specs = tf.nest.map_structure(_spec, *batches)
        order = np.random.default_rng(n).permutation(self.steps) if self._shuffle else np.arange(self.steps)
        threads = max(1, self._dataset.workers)
        return tf.data.Dataset.from_tensor_slices(order).map(
            self._load, num_parallel_calls=threads if threads > 1 else None, deterministic=True
        )

    def _load(self, index: tf.Tensor) -> Any:
        specs = tf.nest.flatten(self._specs)

        def read(index: np.ndarray) -> list[np.ndarray]:
            return tf.nest.flatten(_batch(self._dataset[int(index)]))

        tensors = tf.numpy_function(read, [index], [spec.dtype for spec in specs])
        for tensor, spec in zip(tensors, specs, strict=True):
            tensor.set_shape(spec.shape)
        return tf.nest.pack_sequence_as(self._specs, tensors)


def _batch(batch: Any) -> Any:
    return tf.nest.map_structure(_converted, tuple(batch) if isinstance(batch, list | tuple) else (batch,))


def _converted(array: Any) -> Any:
    """An array of the type that Keras trains in, where it is one of NumPy's default 64-bit floats."""
    array = array if isinstance(array, tf.Tensor) else np.asarray(array)
    return array if array.dtype != "float64" else np.asarray(array, keras.backend.floatx())


def _spec(first: np.ndarray, *others: np.ndarray) -> tf.TensorSpec:
    """The type of a batch whose first dimension, and those in which the given batches differ, are open."""
    sizes = zip(*(array.shape[1:] for array in (first, *others)), strict=True)
    return tf.TensorSpec([None, *(size[0] if len(set(size)) == 1 else None for size in sizes)], first.dtype)
