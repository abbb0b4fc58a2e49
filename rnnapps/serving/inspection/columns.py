"""Tensors as JSON, in the columnar form of TensorFlow Serving's REST interface, and back."""

import base64
from collections.abc import Sequence

import numpy as np


def to_json(array: np.ndarray):
    """Nested lists of numbers, or of strings; bytes that are no UTF-8 become `{"b64": ...}`."""
    if array.dtype != object:
        return array.tolist()
    return _each(array.tolist(), _text)


def from_json(value, dtype: type, shape: Sequence[int | None]) -> np.ndarray:
    """The array that `to_json` was given.

    Args:
        value: nested lists.
        dtype: NumPy's; `object` for strings.
        shape: what is known of the shape: nested lists do not tell the width of what has no rows.
    """
    array = np.array(_each(value, _bytes) if dtype is object else value, dtype)
    return array if array.size else array.reshape(*array.shape, *(size or 0 for size in shape[array.ndim :]))


def _each(value, change):
    return [_each(one, change) for one in value] if isinstance(value, list) else change(value)


def _text(value: bytes | str):
    try:
        return value if isinstance(value, str) else value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _bytes(value) -> bytes:
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
