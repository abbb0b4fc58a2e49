"""Labels as people write them: words or numbers in a column, and the classes that they name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps.datasets.rejected import DataError, Rejected, first_of

# How programs write a number that is missing or none.
_NOT_NUMBERS = {"nan", "NaN", "NAN", "inf", "-inf", "+inf", "Infinity", "-Infinity"}


def value_of(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column.

    Raises:
        ValueError: There is none.
    """
    value = row.get(column)
    if value is None:
        raise ValueError(f"no value for {column!r}")
    return value


def text_of(row: Mapping[str, Any], column: str) -> str:
    """The text in a column, without spaces around it.

    Raises:
        ValueError: There is none, or it is empty.

    Example:
        >>> text_of({"path": " 7/7_jackson_32.wav "}, "path")
        '7/7_jackson_32.wav'
    """
    text = str(value_of(row, column)).strip()
    if not text:
        raise ValueError(f"empty {column!r}")
    return text


def label_of(row: Mapping[str, Any], column: str) -> str:
    """The label in a column: a word, or a number, of which 1 and 1.0 are one.

    Raises:
        ValueError: There is none, or it is neither a word nor a number.

    Example:
        >>> label_of({"stars": 4.0}, "stars"), label_of({"stars": " good "}, "stars")
        ('4', 'good')
    """
    value = value_of(row, column)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        value = int(value)  # JSON writers that know only floats
    if isinstance(value, dict | list):
        raise ValueError(f"{column!r} is neither a word nor a number")
    label = str(value).strip()
    if not label:
        raise ValueError(f"empty {column!r}")
    if label in _NOT_NUMBERS:
        raise ValueError(f"{column!r} must be a word or a number, got {label}")
    return label


def check_several_classes(
    path: Path, classes: Sequence[str], what: str, rejected: Iterable[Rejected], of: tuple[str, str]
) -> None:
    """Refuses training examples that all have the same class.

    Args:
        path: The data.
        classes: The names of the classes of the examples.
        what: What an example is.
        rejected: What was skipped.
        of: What each of these is, and several of them are.

    Raises:
        DataError: There is only one class.
    """
    if len(classes) < 2:
        raise DataError(
            f"{path}: every {what} has the class {classes[0]!r}; a classifier needs two{first_of(rejected, *of)}"
        )


def natural_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Sorts labels as a person would: numbers by value, and words with the numbers inside them by value.

    Example:
        >>> natural_order(["10", "9", "-1"]), natural_order(["grade 10", "grade 9"])
        (('-1', '9', '10'), ('grade 9', 'grade 10'))
    """
    labels = sorted(labels)
    if all(re.fullmatch(r"[+-]?\d+(\.\d+)?", label) for label in labels):
        return tuple(sorted(labels, key=float))
    words = re.compile(r"(\d+)")

    def pieces(label: str) -> list[int | str]:
        return [int(piece) if piece.isdigit() else piece.casefold() for piece in words.split(label)]

    return tuple(sorted(labels, key=pieces))
