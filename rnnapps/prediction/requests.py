"""From the values of rows to the inputs of a signature, and from its outputs to an answer for each row.

Rows whose inputs have different shapes, such as series of different lengths, go into separate requests: no value is
padded, so that an answer does not depend on which other rows are in its batch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from rnnapps.errors import UserError
from rnnapps.serving.clients.signatures import TensorSpec
from rnnapps.serving.inspection.columns import from_json

Request = Mapping[str, Any]
Arrays = Mapping[str, np.ndarray]


TEXT = TensorSpec("object", ())  # of one row


def as_input(row: Mapping[str, Any], column: str, spec: TensorSpec) -> Any:
    """The input that a row of a file gives: a cell of a table, or a value of JSON lines.

    A number may be written as text. A list may be written as JSON, or as numbers with spaces between them. Null (in a
    table, an empty cell or `null` in a list) is a missing number: NaN, which only floats have.

    Args:
        row: The row's values by column: texts, numbers, or nested lists of them.
        column: The column of the input.
        spec: Dtype and shape of the input of one row, without the batch.

    Returns:
        A text for strings without dimensions, and otherwise an array.

    Raises:
        UserError: The row has no such column, or the value is of another type or shape.

    Example:
        >>> as_input({"sales": "[1, null, 2.5]"}, "sales", TensorSpec("float32", (None,))).tolist()
        [1.0, nan, 2.5]
        >>> as_input({"text": 7}, "text", TEXT)
        Traceback (most recent call last):
        ...
        rnnapps.errors.UserError: 'text' must be a text, got 7
    """
    if column not in row:
        raise UserError(f"no value in {column!r}")
    try:
        return _input(row[column], spec)
    except ValueError as error:
        raise UserError(f"{column!r} {error}") from None


def _input(value: Any, spec: TensorSpec) -> Any:
    if spec == TEXT:
        if not isinstance(value, str | bytes):
            raise ValueError(f"must be a text, got {json.dumps(value)[:40]}")
        return value
    if isinstance(value, str):
        value = _parsed(value.strip(), spec)
    if np.dtype(spec.dtype).kind == "f":
        value = _with_nan(value)
    array = from_json(value, spec.dtype, spec.shape)
    for length, size in zip(array.shape, spec.shape or (), strict=False):
        if size is not None and length != size:
            raise ValueError(f"must have {size} values, got {length}")
    return array


def _parsed(text: str, spec: TensorSpec) -> Any:
    if text.startswith("[") or (text and spec.dtype in ("bool", "object")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise ValueError(f"must be JSON, got {text[:40]!r}") from None
    numbers = [_number(word, spec.dtype) for word in text.split()]
    if spec.shape == () and len(numbers) < 2:
        return numbers[0] if numbers else None
    return numbers


def _number(word: str, dtype: str) -> float | int | None:
    try:
        return None if word == "null" else float(word) if np.dtype(dtype).kind == "f" else int(word)
    except ValueError:
        raise ValueError(f"must be {dtype}, got {word[:40]!r}") from None


def _with_nan(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_nan(part) for part in value]
    return float("nan") if value is None else value


def ask_rows(ask: Callable[[Arrays], Arrays], requests: Sequence[Request]) -> list[dict[str, Any]]:
    """Requests the answers to rows, grouping rows whose inputs have the same shape.

    Args:
        ask: From a signature's inputs, the batch first, to its outputs.
        requests: The inputs of each row, by the names of the signature: arrays, numbers, str or bytes.

    Returns:
        The outputs of each row: numbers and lists as Python objects, strings as bytes. An output that is not a batch
        is repeated for every row.

    Raises:
        UserError: An output has a different number of rows.

    Example:
        >>> total = lambda inputs: {"total": inputs["x"].sum(axis=1)}
        >>> ask_rows(total, [{"x": [1, 2]}, {"x": [3]}, {"x": [4, 5]}])
        [{'total': 3}, {'total': 3}, {'total': 9}]
    """
    groups: dict[tuple, list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(tuple((name, _shape(value)) for name, value in request.items()), []).append(index)
    answers: list[dict[str, Any]] = [{}] * len(requests)
    for indices in groups.values():
        outputs = ask(stacked([requests[index] for index in indices]))
        for index, answer in zip(indices, _by_row(outputs, len(indices)), strict=True):
            answers[index] = answer
    return answers


def stacked(requests: Sequence[Request]) -> dict[str, np.ndarray]:
    """Puts the inputs of several rows together, the batch first. Strings become an array of objects.

    Args:
        requests: The inputs of each row; inputs with the same name have the same shape.

    Example:
        >>> stacked([{"history": [1.0, 2.0], "start": "a"}, {"history": [3.0, 4.0], "start": "b"}])["history"].tolist()
        [[1.0, 2.0], [3.0, 4.0]]
    """
    return {name: _stacked([request[name] for request in requests]) for name in requests[0]}


def _stacked(values: list[Any]) -> np.ndarray:
    if isinstance(values[0], str | bytes):
        column = np.empty(len(values), object)
        column[:] = values
        return column
    return np.stack([np.asarray(value) for value in values])


def _shape(value: Any) -> tuple[int, ...]:
    return () if isinstance(value, str | bytes) else np.shape(value)


def _by_row(outputs: Arrays, count: int) -> list[dict[str, Any]]:
    columns = {}
    for name, output in outputs.items():
        array = np.asarray(output)
        if array.ndim and len(array) != count:
            raise UserError(f"the model's output {name!r} must have {count} rows, as its inputs have, got {len(array)}")
        columns[name] = array.tolist() if array.ndim else [array.item()] * count
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
