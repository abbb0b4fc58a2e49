"""Labels as people write them: words or numbers in a column, and the classes that they name."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.datasets.rejected import DataError, Rejected, first_of
from rnnapps.files import is_utf8

_SHOWN = 5  # names in a warning

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
    if not is_utf8(label):
        raise ValueError(f"{column!r} is not UTF-8")
    return label


def class_of(folder: Path) -> str:
    """The class whose examples are in a folder: its name.

    Raises:
        DataError: The name is not UTF-8.
    """
    if not is_utf8(folder.name):
        raise DataError(f"{folder}: the name of this folder is not UTF-8; rename it")
    return folder.name


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


def with_counts(classes: Sequence[str], labels: np.ndarray) -> str:
    """Classes with their numbers of examples, for a line that says what was loaded.

    Example:
        >>> with_counts(["bad", "good"], np.array([0, 1, 1]))
        'classes bad (1), good (2)'
    """
    counts = np.bincount(labels, minlength=len(classes))
    return "classes " + ", ".join(f"{name} ({count:,})" for name, count in zip(classes, counts, strict=True))


def class_warnings(classes: Sequence[str], labels: np.ndarray) -> Iterator[str]:
    """Lines about classes to train on that look like mistakes: spelt in two ways, or with a single example."""
    spellings: dict[str, list[str]] = {}
    for name in classes:
        spellings.setdefault(name.casefold(), []).append(name)
    for same in spellings.values():
        if len(same) > 1:
            yield f"warning: the classes {' and '.join(map(repr, same))} differ only in upper and lower case"
    counts = np.bincount(labels, minlength=len(classes))
    if single := [repr(name) for name, count in zip(classes, counts, strict=True) if count == 1]:
        shown = ", ".join(single[:_SHOWN]) + (f" and {len(single) - _SHOWN:,} more" if len(single) > _SHOWN else "")
        yield f"warning: a single example to train on for {'class' if len(single) == 1 else 'classes'} {shown}"


def natural_order(labels: Iterable[str]) -> tuple[str, ...]:
    """Sorts labels as a person would: numbers by value, and words with the numbers inside them by value.

    Example:
        >>> natural_order(["10", "9", "-1"]), natural_order(["grade 10", "grade 9"])
        (('-1', '9', '10'), ('grade 9', 'grade 10'))
    """
    labels = sorted(labels)
    if all(re.fullmatch(r"[+-]?[0-9]+(\.[0-9]+)?", label) for label in labels):
        return tuple(sorted(labels, key=float))
    words = re.compile(r"([0-9]+)")

    def pieces(label: str) -> list[int | str]:
        split = words.split(label)  # words and numbers take turns
        return [int(piece) if place % 2 else piece.casefold() for place, piece in enumerate(split)]

    return tuple(sorted(labels, key=pieces))
