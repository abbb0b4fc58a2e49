"""Batches of any size within bounded memory: the graph answers a request of a hundred thousand rows part by part."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from rnnapps.assertions import asserted

Outputs = dict[str, tf.Tensor]


def in_chunks(function: Callable[..., Outputs], rows: int) -> Callable[..., Outputs]:
    """Calls a function with at most `rows` rows at a time and joins its outputs.

    Args:
        function: Takes tensors `(batch, ...)` and returns tensors `(batch, ...)` by name, whose other dimensions are
            static, but for the second of a matrix: its rows are padded with zeros or empty strings to the longest. The
            outputs of a row must not depend on the other rows. It is not called for an empty batch.
        rows: Largest number of rows of a call, which bounds the memory that any batch takes.

    Returns:
        A function of the same inputs, of the same number of rows each, with the same outputs.

    Example:
        >>> double = in_chunks(lambda x: {"y": 2 * x}, rows=2)
        >>> tf.function(double)(tf.constant([1, 2, 3, 4, 5]))["y"].numpy().tolist()
        [2, 4, 6, 8, 10]
    """

    def chunked(*inputs: tf.Tensor) -> Outputs:
        inputs = tuple(_with_equal_rows(inputs))
        specs = [tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype) for tensor in inputs]
        concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
        outputs = concrete.structured_outputs
        chunks = -(-tf.shape(inputs[0])[0] // rows)

        def one_chunk(index: tf.Tensor, arrays: Any) -> Any:
            begin = index * rows
            answer = concrete(*(tensor[begin : begin + rows] for tensor in inputs))
            return index + 1, {name: arrays[name].write(index, answer[name]) for name in arrays}

        arrays = {
            name: tf.TensorArray(
                output.dtype, chunks, element_shape=[None, *output.shape[1:]], infer_shape=False, clear_after_read=False
            )
            for name, output in outputs.items()
        }
        # One after the other: chunks in parallel would take the memory that this loop is there to save.
        _, arrays = tf.while_loop(lambda index, _: index < chunks, one_chunk, (0, arrays), parallel_iterations=1)
        return {
            name: _joined(arrays[name], chunks)
            if outputs[name].shape[1:].as_list() == [None]
            else arrays[name].concat()
            for name in outputs
        }

    return chunked


def _joined(array: tf.TensorArray, chunks: tf.Tensor) -> tf.Tensor:
    """The rows of matrices of unequal widths, padded to the widest."""
    index = tf.range(chunks)
    widths = tf.map_fn(lambda place: tf.shape(array.read(place))[1], index)
    widest = tf.reduce_max(tf.concat([[0], widths], axis=0))

    def padded(place: tf.Tensor, wide: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        rows = array.read(place)
        missing = tf.zeros([tf.shape(rows)[0], widest - tf.shape(rows)[1]], array.dtype)
        return place + 1, wide.write(place, tf.concat([rows, missing], axis=1))

    # One more, without rows, since nothing can be joined to a matrix of no width where there is no chunk.
    wide = tf.TensorArray(array.dtype, chunks + 1, element_shape=[None, None], infer_shape=False)
    wide = wide.write(chunks, tf.zeros([0, widest], array.dtype))
    return tf.while_loop(lambda place, _: place < chunks, padded, (0, wide))[1].concat()


def never_empty(function: Callable[..., Outputs]) -> Callable[..., Outputs]:
    """Calls a function with one row of zeros (empty strings) instead of none, and drops the outputs of that row.

    Not every kernel gives the right shape for an empty batch: oneDNN's convolution returns that of its input.

    Args:
        function: Takes tensors `(batch, ...)` and returns tensors `(batch, ...)` by name.

    Returns:
        A function of the same inputs with the same outputs.
    """

    def padded(*inputs: tf.Tensor) -> Outputs:
        rows = tf.shape(inputs[0])[0]
        missing = tf.cast(tf.equal(rows, 0), tf.int32)
        outputs = function(*(_with_zeros(tensor, missing) for tensor in inputs))
        return {name: output[:rows] for name, output in outputs.items()}

    return padded


def _with_zeros(tensor: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Adds rows of zeros at the end; strings, which `tf.pad` does not take, are padded with empty ones."""
    zeros = tf.zeros(tf.concat([[rows], tf.shape(tensor)[1:]], axis=0), tensor.dtype)
    return tf.ensure_shape(tf.concat([tensor, zeros], axis=0), [None, *tensor.shape[1:]])


def _with_equal_rows(inputs: Sequence[tf.Tensor]) -> Sequence[tf.Tensor]:
    """Refuses a request whose inputs have different numbers of rows: a chunk of it could look like a valid one."""
    if len(inputs) == 1:
        return inputs
    counts = [tf.shape(tensor)[0] for tensor in inputs]
    equal = tf.reduce_all(tf.equal(counts, counts[0]))
    return asserted(list(inputs), equal, "the inputs have different numbers of rows:", *counts)
