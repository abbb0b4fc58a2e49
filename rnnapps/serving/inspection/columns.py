"""Tensors as JSON, in the columnar form of TensorFlow Serving's REST interface, and back."""

import base64
import binascii
import itertools
from collections.abc import Iterable, Sequence

import numpy as np

_MOST_DIMENSIONS = 32


def to_json(array: np.ndarray) -> object:
    """Writes a tensor as nested lists.

    Args:
        array: Numbers, or an object array of bytes or str.

    Returns:
        Nested lists of numbers, or of strings; bytes that are not UTF-8 become `{"b64": ...}`.
    """
    if array.dtype != object:
        return array.tolist()
    return _each(array.tolist(), _text)


def from_json(value: object, dtype: np.dtype | type | str, shape: Sequence[int | None] | None) -> np.ndarray:
    """Reads what `to_json` wrote.

    Args:
        value: Nested lists.
        dtype: NumPy's; `object` for strings.
        shape: The size of each dimension, None where it is not known: nested lists do not tell the width of what has
            no rows. None in place of the sequence: nothing is known, not even the number of dimensions.

    Returns:
        The array; strings as objects of bytes. Lone surrogates U+DC80 to U+DCFF become the bytes that they stand for.

    Raises:
        ValueError: The lists are ragged, too deep or too shallow, or hold something else than the dtype.
    """
    dtype = np.dtype(dtype)
    leaves, sizes = _flat(value, None if shape is None else len(shape))
    if dtype.kind == "O":
        array = np.empty(len(leaves), object)
        array[:] = [_bytes(leaf) for leaf in leaves]
    else:
        array = _numbers(leaves, dtype)
    if not leaves and shape is not None:
        sizes += [size or 0 for size in shape[len(sizes) :]]
    return array.reshape(sizes)


def _flat(value: object, rank: int | None) -> tuple[list, list[int]]:
    """All leaves in a row, and the size of each dimension as far as the lists tell."""
    sizes: list[int] = []
    level = [value]
    while level and len(sizes) != rank and (rank is not None or isinstance(level[0], list)):
        if (kinds := set(map(type, level))) != {list}:
            raise ValueError(f"must have {'equally many' if rank is None else rank} dimensions, got {_types(kinds)}")
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise ValueError(f"must not be ragged, got rows of {min(lengths)} and of {max(lengths)}")
        if len(sizes) == _MOST_DIMENSIONS:
            raise ValueError(f"must have at most {_MOST_DIMENSIONS} dimensions, got more")
        sizes.append(lengths.pop())
        level = list(itertools.chain.from_iterable(level))
    return level, sizes


def _numbers(leaves: list, dtype: np.dtype) -> np.ndarray:
    allowed = {"b": {bool}, "i": {int}, "u": {int}}.get(dtype.kind, {int, float})
    if other := set(map(type, leaves)) - allowed:
        raise ValueError(f"must be {dtype.name}, got {_types(other)}")
    if dtype.kind in "iu" and leaves:
        limits = np.iinfo(dtype)
        if min(leaves) < limits.min or max(leaves) > limits.max:
            raise ValueError(f"must be {dtype.name}, got numbers from {min(leaves)} to {max(leaves)}")
    try:
        with np.errstate(over="raise"):
            return np.array(leaves, np.float64).astype(dtype) if dtype.kind not in "biu" else np.array(leaves, dtype)
    except (OverflowError, FloatingPointError):
        raise ValueError(f"must be {dtype.name}, got a number out of range") from None


def _types(kinds: Iterable[type]) -> str:
    names = {list: "a list", dict: "an object", str: "a string", type(None): "null", bool: "a boolean"}
    return sorted(names.get(kind, "a number") for kind in kinds)[0]


def _each(value: object, change):
    return [_each(part, change) for part in value] if isinstance(value, list) else change(value)


def _text(value: bytes | str) -> str | dict[str, str]:
    try:
        return value if isinstance(value, str) else value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        try:
            return value.encode("utf-8", errors="surrogateescape")
        except UnicodeEncodeError:
            raise ValueError(f"must be valid Unicode, got {value[:40]!a}") from None
    if not isinstance(value, dict):
        raise ValueError(f"must be strings, got {_types({type(value)})}")
    if list(value) != ["b64"] or not isinstance(value["b64"], str):
        raise ValueError(f"must be strings or {{'b64': ...}}, got an object with the keys {list(value)[:3]}")
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"must be base64, got {value['b64'][:40]!a} ({error})") from None
