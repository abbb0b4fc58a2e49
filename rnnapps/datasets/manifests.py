"""Tables that list files: every good row is used, every bad one is named."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnnapps.datasets.labels import text_of
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.rows import SUFFIXES, open_rows

_SHOWN = 3  # warnings about rows of one file


class Remarks(NamedTuple):
    """What is wrong with the rows of a table.

    Attributes:
        rejected: Rows that cannot be used.
        notes: Warnings about others.
    """

    rejected: list[Rejected]
    notes: list[str]


def read_manifest(
    path: Path, columns: Sequence[str], what: tuple[str, str], use: Callable[[Mapping[str, Any], int], None]
) -> Remarks:
    """Uses every row of a manifest.

    Args:
        path: The table.
        columns: The columns that it must have.
        what: What a row lists, in the singular and the plural.
        use: Takes a row and its line. ValueError says why the row cannot be used.

    Raises:
        DataError: The table cannot be read, or lacks a column.
    """
    one, more = what
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: a manifest of {more} ends in {', '.join(SUFFIXES)}; a single {one} is not a data set")
    rejected, warnings = [], []
    for row in open_rows(path, columns).after():
        try:
            if row.values is None:
                raise ValueError(row.problem)
            use(row.values, row.line)
        except ValueError as error:
            rejected.append(Rejected(row.line, str(error), path))
        else:
            warnings += [row.warning] if row.warning else []
    return Remarks(rejected, warning_notes(path, warnings))


def warning_notes(path: Path, warnings: Sequence[str]) -> list[str]:
    """Remarks for the summary: the first warnings about rows of a file, and how many more there are."""
    notes = [f"warning: {path}: {warning}" for warning in warnings[:_SHOWN]]
    if len(warnings) > _SHOWN:
        notes.append(f"warning: {path}: {len(warnings) - _SHOWN:,} more rows like these")
    return notes


def new_name(row: Mapping[str, Any], line: int, lines: dict[tuple[str, ...], int], *more: str) -> str:
    """The file that a row lists.

    Args:
        row: The row, with the column `path`.
        line: Its line.
        lines: The lines of what was listed before; this row is added.
        *more: What else tells rows apart.

    Raises:
        ValueError: There is none, or it was listed before.
    """
    name = text_of(row, "path")
    first = lines.setdefault((os.path.normpath(name), *more), line)
    if first != line:
        raise ValueError(f"{name} is already listed in line {first}")
    return name
