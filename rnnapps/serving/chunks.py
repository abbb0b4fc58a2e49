"""Large batches answered in parts, in the graph: a request of a hundred thousand rows must not take the server down."""

from collections.abc import Callable

import tensorflow as tf

Answer = dict[str, tf.Tensor]


def in_chunks(function: Callable[..., Answer], rows: int) -> Callable[..., Answer]:
    """A function that hands its inputs to another one by at most `rows` rows at a time and joins the answers.

    Args:
        function: of tensors `(batch, ...)`, the answer to a row independent of the others; gives tensors
            `(batch, ...)` by name, of which the other dimensions do not depend on the rows.
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
        size = tf.shape(inputs[0])[0]
        chunks = tf.maximum(1, -(-size // rows))  # no rows at all are a chunk, too: its answer has the right shapes

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
