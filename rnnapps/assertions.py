"""Conditions on the data that are checked where a graph runs, such as in a server."""

from typing import Any, TypeVar

import tensorflow as tf

Tensors = TypeVar("Tensors")


def asserted(tensors: Tensors, condition: tf.Tensor, *message: Any) -> Tensors:
    """Returns tensors that can be computed only if a condition is true.

    An assertion alone may not run in a graph in which nothing depends on it.

    Args:
        tensors: A tensor, ragged tensor, or nested structure of these.
        condition: Bool scalar.
        message: Strings and tensors that the error shows, one after the other.

    Returns:
        The same tensors.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs and the condition is false.

    Example:
        >>> root = tf.function(lambda x: tf.sqrt(asserted(x, x >= 0, "x must not be negative, got", x)))
        >>> float(root(tf.constant(4.0)))
        2.0
    """
    with tf.control_dependencies([tf.debugging.Assert(condition, list(message))]):
        return tf.nest.map_structure(tf.identity, tensors, expand_composites=True)
