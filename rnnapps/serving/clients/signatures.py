"""What a model's signature takes and gives, and whether inputs and outputs fit it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

DEFAULT_SIGNATURE = "serving_default"
# TensorFlow's names of dtypes -> NumPy's. Strings are object arrays of bytes: NumPy's own lose zero bytes at the end.
DTYPES = {
    "DT_FLOAT": "float32",
    "DT_DOUBLE": "float64",
    "DT_HALF": "float16",
    "DT_INT8": "int8",
    "DT_INT16": "int16",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_UINT16": "uint16",
    "DT_UINT32": "uint32",
    "DT_UINT64": "uint64",
    "DT_BOOL": "bool",
    "DT_STRING": "object",
}


class TensorSpec(NamedTuple):
    """Dtype and shape of an input or output.

    Attributes:
        dtype: NumPy's name of the dtype; `object` for strings.
        shape: Each dimension's size, None for any size. None in place of the tuple: any shape.
    """

    dtype: str
    shape: tuple[int | None, ...] | None


class Signature(NamedTuple):
    """The inputs and outputs of a signature by name."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


def numpy_dtype(name: object) -> str:
    """NumPy's name of a dtype that TensorFlow calls `name`, such as `DT_FLOAT`.

    Raises:
        ValueError: NumPy has none.
    """
    if not isinstance(name, str) or name not in DTYPES:
        raise ValueError(f"the dtype must be one of {', '.join(DTYPES)}, got {str(name)[:40]!r}")
    return DTYPES[name]


def as_tensors(
    inputs: Mapping[str, np.ndarray | Sequence], specs: Mapping[str, TensorSpec] | None
) -> dict[str, np.ndarray]:
    """Inputs as arrays of the dtypes that the signature takes; strings as object arrays of bytes.

    Args:
        inputs: Arrays, or nested lists of numbers, str or bytes, by name.
        specs: What the signature takes, by the same names; None where the server does not tell.

    Returns:
        An array for each input.

    Raises:
        ValueError: An input is ragged, or of another dtype or shape.
    """
    return {name: _as_tensor(name, value, specs[name] if specs else None) for name, value in inputs.items()}


def _as_tensor(name: str, value: np.ndarray | Sequence, spec: TensorSpec | None) -> np.ndarray:
    try:
        if spec.dtype == "object" if spec else _holds_strings(value):
            array = _strings(value)
        else:
            array = np.asarray(value)
            if spec is not None:
                array = _cast(array, np.dtype(spec.dtype))
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"input {name!r}: {error}") from None
    if spec is not None and not _fits(array.shape, spec.shape):
        raise ValueError(f"input {name!r}: the shape must be {_shown(spec.shape or ())}, got {_shown(array.shape)}")
    return array


def _holds_strings(value: np.ndarray | Sequence) -> bool:
    while isinstance(value, list | tuple) and value:
        value = value[0]
    return isinstance(value, str | bytes) or (isinstance(value, np.ndarray) and value.dtype.kind in "SUO")


def _strings(value: np.ndarray | Sequence) -> np.ndarray:
    array = np.asarray(value, object)
    encoded = np.empty(array.shape, object)
    for index, text in enumerate(array.flat):
        if not isinstance(text, str | bytes):
            raise TypeError(f"must be strings, got {'rows of different lengths' if _nested(text) else _type(text)}")
        try:
            encoded.flat[index] = text.encode() if isinstance(text, str) else text
        except UnicodeEncodeError:
            raise ValueError(f"must be valid Unicode, got {text[:40]!a}") from None
    return encoded


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if array.dtype.kind == "O":  # of None, or of integers beyond 64 bits
        if other := {_type(number) for number in array.flat} - {"int", "float", "NoneType"}:
            raise TypeError(f"must be {dtype.name}, got {sorted(other)[0]}")
        if dtype.kind in "iu":
            raise TypeError(f"must be {dtype.name}, got null or a number out of range")
        array = array.astype(np.float64)  # None becomes not-a-number
    integers = array.dtype.kind in "iu" and dtype.kind in "iu"
    if array.size and not integers and not np.can_cast(array.dtype, dtype, "same_kind"):
        raise TypeError(f"must be {dtype.name}, got {'strings' if array.dtype.kind in 'SU' else array.dtype.name}")
    if array.size and integers:
        limits = np.iinfo(dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise OverflowError(f"must be {dtype.name}, got numbers from {array.min()} to {array.max()}")
    with np.errstate(over="ignore"):  # a larger number becomes infinity, as in any assignment to a smaller float
        return array.astype(dtype, copy=False)


def _type(value: object) -> str:
    return type(value).__name__


def _nested(value: object) -> bool:
    return isinstance(value, list | tuple | np.ndarray)


def rows(tensors: Mapping[str, np.ndarray], specs: Mapping[str, TensorSpec]) -> int | None:
    """The number of rows that a request has; None if its inputs are single values or differ in length.

    Args:
        tensors: The inputs by name.
        specs: What the signature takes.
    """
    batches = {len(tensors[name]) for name, spec in specs.items() if spec.shape and spec.shape[0] is None}
    return batches.pop() if len(batches) == 1 else None


def check_outputs(outputs: Mapping[str, np.ndarray], specs: Mapping[str, TensorSpec], rows: int | None) -> None:
    """Checks that an answer has what the signature gives, one row for each row of the request.

    Args:
        outputs: The answer's tensors by name.
        specs: What the signature gives.
        rows: The number of rows of the request; None if it has none to count.

    Raises:
        ValueError: An output is missing, too many, or of another dtype, shape or number of rows.
    """
    for name, spec in specs.items():
        if name not in outputs:
            raise ValueError(f"the output {name!r} is missing")
        array = outputs[name]
        if array.dtype != np.dtype(spec.dtype):
            raise ValueError(f"output {name!r} must be {_kind(spec.dtype)}, got {_kind(array.dtype.name)}")
        if not _fits(array.shape, spec.shape):
            raise ValueError(
                f"output {name!r}: the shape must be {_shown(spec.shape or ())}, got {_shown(array.shape)}"
            )
        if rows is not None and spec.shape and spec.shape[0] is None and len(array) != rows:
            raise ValueError(f"output {name!r} must have {rows} rows, as the request has, got {len(array)}")
    if extra := sorted(set(outputs) - set(specs)):
        raise ValueError(f"the output {extra[0]!r} is not in the signature")


def _fits(shape: Sequence[int], wanted: Sequence[int | None] | None) -> bool:
    if wanted is None:
        return True
    return len(shape) == len(wanted) and all(
        size is None or size == length for length, size in zip(shape, wanted, strict=True)
    )


def _shown(shape: Sequence[int | None]) -> str:
    return f"({', '.join('any' if size is None else str(size) for size in shape)})"


def _kind(dtype: str) -> str:
    return "strings" if dtype == "object" else dtype
