"""NumPy arrays as TensorFlow's tensor messages and back, without TensorFlow."""

import numpy as np

from rnnapps.serving.clients.protos import tensor_pb2, types_pb2

# dtype -> the enumeration's name, and the message's field where values stand one by one.
_TYPES = {
    "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"),
    "float16": ("DT_HALF", "half_val"),
    "int8": ("DT_INT8", "int_val"),
    "int16": ("DT_INT16", "int_val"),
    "int32": ("DT_INT32", "int_val"),
    "int64": ("DT_INT64", "int64_val"),
    "uint8": ("DT_UINT8", "int_val"),
    "uint16": ("DT_UINT16", "int_val"),
    "uint32": ("DT_UINT32", "uint32_val"),
    "uint64": ("DT_UINT64", "uint64_val"),
    "bool": ("DT_BOOL", "bool_val"),
    "object": ("DT_STRING", "string_val"),
}
DTYPES = {name: dtype for dtype, (name, _) in _TYPES.items()}


def as_array(value) -> np.ndarray:
    """Nested lists as an array; strings stay objects, since NumPy's own string types drop zero bytes at the end."""
    array = np.asarray(value)
    return np.array(value, dtype=object) if array.dtype.kind in "SU" else array


def to_proto(value) -> tensor_pb2.TensorProto:
    """An array or nested lists as a message.

    Raises:
        TypeError: a dtype that TensorFlow does not have.
    """
    array = as_array(value)
    if array.dtype.name not in _TYPES:
        raise TypeError(f"an array of {array.dtype} is no tensor; choose one of {', '.join(_TYPES)}")
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DataType.Value(_TYPES[array.dtype.name][0]))
    proto.tensor_shape.SetInParent()  # no dimensions is a scalar, no shape is a shape that nobody knows
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        proto.string_val.extend(
            text.encode() if isinstance(text, str) else text for text in array.ravel(order="C").tolist()
        )
    else:
        proto.tensor_content = array.astype(array.dtype.newbyteorder("<")).tobytes()
    return proto


def from_proto(proto: tensor_pb2.TensorProto) -> np.ndarray:
    """A message as an array; strings become an object array of bytes.

    Raises:
        TypeError: a dtype that NumPy does not have.
    """
    name = types_pb2.DataType.Name(proto.dtype)
    if name not in DTYPES:
        raise TypeError(f"a tensor of {name} cannot become a NumPy array")
    dtype = np.dtype(DTYPES[name])
    shape = [dimension.size for dimension in proto.tensor_shape.dim]
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
    values = getattr(proto, _TYPES[dtype.name][1])
    # A half is sent as the number that its bits make.
    found = np.array(values, np.uint16).view(dtype) if dtype == np.float16 else np.array(values, dtype=dtype)
    size = int(np.prod(shape, dtype=np.int64))
    if len(found) < size:  # the last value stands for all that follow, zero for none
        rest = found[-1:] if len(found) else np.array([b""] if dtype.hasobject else [0], dtype)
        found = np.concatenate([found, np.repeat(rest, size - len(found))])
    return found[:size].reshape(shape)
