"""Lists of tensors of one shape that a while loop fills, one item per iteration.

`tf.TensorArray` is built on the same operations, but forgets the shape of its items where a dimension is known only
when it runs, and then cannot stack a list without items, as of empty sequences. Here the shape is given.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

Shape = Sequence[int | tf.Tensor]


def reserve(size: int | tf.Tensor, shape: Shape, dtype: tf.DType) -> tf.Tensor:
    """A list with places for `size` tensors of this shape."""
    return tf.raw_ops.TensorListReserve(element_shape=_vector(shape), num_elements=size, element_dtype=dtype)


def from_tensor(tensor: tf.Tensor) -> tf.Tensor:
    """The list of the parts of a tensor along its first axis."""
    return tf.raw_ops.TensorListFromTensor(tensor=tensor, element_shape=tf.shape(tensor)[1:])


def get_item(items: tf.Tensor, index: int | tf.Tensor, shape: tf.TensorShape, dtype: tf.DType) -> tf.Tensor:
    """The tensor in a place of the list.

    Args:
        items: The list.
        index: The place.
        shape: What is known of the tensor's shape.
        dtype: The tensor's.
    """
    unknown = [-1 if size is None else size for size in shape]
    item = tf.raw_ops.TensorListGetItem(
        input_handle=items, index=index, element_shape=tf.constant(unknown, tf.int32), element_dtype=dtype
    )
    return tf.ensure_shape(item, shape)


def set_item(items: tf.Tensor, index: int | tf.Tensor, item: tf.Tensor) -> tf.Tensor:
    """The list with `item` in a place; it takes over the tensor without a copy."""
    return tf.raw_ops.TensorListSetItem(input_handle=items, index=index, item=item)


def stack(items: tf.Tensor, size: int | tf.Tensor, shape: Shape, dtype: tf.DType) -> tf.Tensor:
    """All items as one tensor `(size, *shape)`, also when there are none."""
    stacked = tf.raw_ops.TensorListStack(
        input_handle=items, element_shape=_vector(shape), element_dtype=dtype, num_elements=-1
    )
    stacked.set_shape([one if isinstance(one, int) else None for one in (size, *shape)])
    return stacked


def _vector(shape: Shape) -> tf.Tensor:
    return tf.stack(shape) if len(shape) else tf.zeros(0, tf.int32)
