"""Large batches answered in parts, in the graph: a request of a hundred thousand rows must not take the server down."""

from collections.abc import Callable

import tensorflow as tf

Answer = dict[str, tf.Tensor]


def in_chunks(function: Callable[..., Answer], rows: int) -> Callable[..., Answer]:
    """A function that hands its inputs to another one by at most `rows` rows at a time and joins the answers.

    Args:
        function: of tensors `(batch, ...)`, the answer to a row independent of the others; gives tensors
            `(batch, ...)` by name, whose other dimensions are known beforehand. No rows are answered without it.
        rows: bound on a chunk; what one chunk needs is what any batch needs.

    Example:
        >>> double = in_chunks(lambda x: {"y": 2 * x}, rows=2)
        >>> tf.function(double)(tf.constant([1, 2, 3, 4, 5]))["y"].numpy().tolist()
        [2, 4, 6, 8, 10]
    """

    def answer(*inputs: tf.Tensor) -> Answer:
        specs = [tf.TensorSpec([None, *one.shape[1:]], one.dtype) for one in inputs]
        part = tf.function(function, autograph=False).get_concrete_function(*specs)
        outputs = part.structured_outputs
        chunks = -(-tf.shape(inputs[0])[0] // rows)

        def one_chunk(index, parts):
            begin = index * rows
            found = part(*(one[begin : begin + rows] for one in inputs))
            return index + 1, {name: parts[name].write(index, found[name]) for name in parts}

        parts = {
            name: tf.TensorArray(one.dtype, chunks, element_shape=[None, *one.shape[1:]], infer_shape=False)
            for name, one in outputs.items()
        }
        # One after the other: chunks that ran at the same time would take the memory that this is to save.
        _, parts = tf.while_loop(lambda index, _: index < chunks, one_chunk, (0, parts), parallel_iterations=1)
        return {name: parts[name].concat() for name in outputs}

    return answer


def never_empty(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """A function that asks another one with a row of zeros where it is given no rows, and drops the answer.

    Not every kernel knows what the answer to nothing looks like: oneDNN's convolution gives it the shape of its input.

    Args:
        function: of tensors `(batch, ...)`, numbers, to tensors `(batch, ...)` by name.
    """

    def answer(*inputs: tf.Tensor) -> Answer:
        rows = tf.shape(inputs[0])[0]
        missing = tf.cast(tf.equal(rows, 0), tf.int32)
        padded = [tf.pad(one, [[0, missing], *[[0, 0]] * (one.shape.rank - 1)]) for one in inputs]
        for one, original in zip(padded, inputs, strict=True):
            one.set_shape([None, *original.shape[1:]])
        return {name: value[:rows] for name, value in function(*padded).items()}

    return answer
