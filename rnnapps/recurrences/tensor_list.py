"""Lists of equal tensors that a while loop fills, one item an iteration.

`tf.TensorArray` is built on the same ops, but forgets the shape of its items where a dimension is only known when run,
and then cannot stack a list without items: a batch of empty sequences. Here the shape is said.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

Shape = Sequence[int | tf.Tensor]


def reserve(size: int | tf.Tensor, shape: Shape, dtype: tf.DType) -> tf.Tensor:
    """A list with places for `size` tensors of this shape."""
    return tf.raw_ops.TensorListReserve(element_shape=_vector(shape), num_elements=size, element_dtype=dtype)


def set_item(items: tf.Tensor, index: int | tf.Tensor, item: tf.Tensor) -> tf.Tensor:
    """The list with `item` in a place; it takes over the tensor without a copy."""
    return tf.raw_ops.TensorListSetItem(input_handle=items, index=index, item=item)


def stack(items: tf.Tensor, size: int | tf.Tensor, shape: Shape, dtype: tf.DType) -> tf.Tensor:
    """All items as one tensor `(size, *shape)`, also when there are none."""
    stacked = tf.raw_ops.TensorListStack(
        input_handle=items, element_shape=_vector(shape), element_dtype=dtype, num_elements=-1
    )
    return tf.ensure_shape(stacked, [one if isinstance(one, int) else None for one in (size, *shape)])


def _vector(shape: Shape) -> tf.Tensor:
    return tf.stack(shape) if len(shape) else tf.zeros(0, tf.int32)
