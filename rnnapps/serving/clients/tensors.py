"""NumPy arrays as TensorFlow's tensor messages and back, without TensorFlow."""

from __future__ import annotations

import math

import numpy as np

from rnnapps.serving.clients.errors import LARGEST_ANSWER
from rnnapps.serving.clients.protos import tensor_pb2, types_pb2
from rnnapps.serving.clients.signatures import DTYPES, numpy_dtype

_NAMES = {dtype: name for name, dtype in DTYPES.items()}
# The message's field where values stand one by one.
_FIELDS = dict.fromkeys(("int8", "int16", "int32", "uint8", "uint16"), "int_val") | {
    "float32": "float_val",
    "float64": "double_val",
    "float16": "half_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "object": "string_val",
}


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """Writes an array as a message.

    Args:
        array: Numbers, or strings as an object array of bytes.

    Returns:
        The message.

    Raises:
        TypeError: The array has a dtype that TensorFlow does not have.
    """
    if array.dtype.name not in _NAMES:
        raise TypeError(f"the dtype must be one of {', '.join(_NAMES)}, got {array.dtype}")
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(_NAMES[array.dtype.name]))
    proto.tensor_shape.SetInParent()  # no dimensions is a scalar, no shape is a shape that nobody knows
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        proto.string_val.extend(array.ravel(order="C").tolist())
    else:
        proto.tensor_content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return proto


def from_proto(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """Reads a message that may come from anyone.

    Args:
        proto: The message.

    Returns:
        The array; strings as objects of bytes.

    Raises:
        ValueError: NumPy does not have the dtype, or shape and values do not fit each other.
    """
    dtype = np.dtype(dtype_of(proto.dtype))
    if proto.tensor_shape.unknown_rank:
        raise ValueError("must have a shape, got an unknown one")
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if any(size < 0 for size in shape) or len(shape) > 32:
        raise ValueError(f"must have at most 32 dimensions of 0 or more, got {shape[:33]}")
    size = math.prod(shape)
    # One value may stand for any number, so that the message's own size is no bound.
    if size * dtype.itemsize > LARGEST_ANSWER or max(shape, default=0) > LARGEST_ANSWER:
        raise ValueError(f"must have at most {LARGEST_ANSWER // 2**20} MiB, got the shape {shape}")
    if proto.tensor_content:
        if dtype.hasobject or len(proto.tensor_content) != size * dtype.itemsize:
            raise ValueError(
                f"must have {size * dtype.itemsize} bytes for the shape {shape}, got {len(proto.tensor_content)}"
            )
        return np.frombuffer(proto.tensor_content, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    values = getattr(proto, _FIELDS[dtype.name])
    if len(values) > size or (size and not values):
        raise ValueError(f"must have {size} values for the shape {shape}, got {len(values)}")
    try:  # a half is sent as the number that its bits make
        array = np.array(values, np.uint16).view(dtype) if dtype == np.float16 else np.array(values, dtype)
    except OverflowError:
        raise ValueError(f"must be {dtype.name}, got a number out of range") from None
    if len(array) < size:  # the last value stands for all that follow
        array = np.concatenate([array, np.repeat(array[-1:], size - len(array))])
    return array.reshape(shape)


def dtype_of(number: int) -> str:
    """NumPy's name of a dtype by its number in TensorFlow's messages.

    Raises:
        ValueError: NumPy has none.
    """
    known = types_pb2.DataType.values()
    return numpy_dtype(types_pb2.DataType.Name(number) if number in known else f"number {number}")
