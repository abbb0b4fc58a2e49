"""A long table of time series read series by series, so that it may be larger than memory.

The rows of a series must stand together. They become one row with its name, its history, the time of its first value
and what stands beside the values, as in JSON lines with a series on each line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.datasets.frequency import Frequency
from rnnapps.datasets.lines import START, Place
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.rows import Row, Rows
from rnnapps.datasets.series_tables import series_of
from rnnapps.datasets.sources import SeriesSource
from rnnapps.datasets.time_series import OneSeries
from rnnapps.terminal import shortened

_TOGETHER = 256  # series put on a grid at once, which is quicker than one by one
_MOST_ROWS = 1_000_000  # of these series


@dataclass(frozen=True)
class Steps:
    """How the rows of a long table become series.

    Attributes:
        source: Names the columns.
        frequency: The step; None for values without times.
        horizon: How many steps after the last value covariates are kept for.
    """

    source: SeriesSource
    frequency: Frequency | None
    horizon: int

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a row that holds a series."""
        source, start = self.source, () if self.frequency is None else ("start",)
        beside = {"known": source.known, "past": source.past, "static": source.static}
        return ("series", "history", *start, *(name for name, columns in beside.items() if columns))


@dataclass(frozen=True)
class SeriesRows:
    """A file that can be read series by series, with the attributes of `rnnapps.datasets.rows.Rows`."""

    rows: Rows
    steps: Steps
    path: Path
    size: int
    inputs: tuple[str, ...]
    columns: tuple[str, ...]
    quoting: str
    files: tuple[Path, ...] = ()
    optional: tuple[str, ...] = ()

    @classmethod
    def of(cls, rows: Rows, steps: Steps) -> SeriesRows:
        """The series of the rows of a file."""
        return cls(rows, steps, rows.path, rows.size, steps.columns, steps.columns, rows.quoting)

    def after(self, place: Place = START) -> Iterator[Row]:
        """A row for each series, from a place on: from the beginning, or from the `end` of a row."""
        return series_rows(self.rows.after(place), self.path, self.steps)


def series_rows(rows: Iterable[Row], path: Path, steps: Steps) -> Iterator[Row]:
    """Makes one row of the neighbouring rows of each series.

    Args:
        rows: The rows of a long table.
        path: The file, for messages.
        steps: How they become series.

    Returns:
        A row for each series, in the order of the file. A series with a row that cannot be read is a bad row, and so
        are rows of a series that came before.
    """
    waiting: list[list[Row]] = []
    count = 0
    seen: set[str] = set()
    for name, group in groupby(rows, _names(steps.source.series_column)):
        own = list(group)
        if name in seen:
            yield from _joined(waiting, path, steps)
            waiting, count = [], 0
            yield Row(own[0].line, None, f"more rows of {shortened(name, 40)!r}; sort the file by series", own[-1].end)
            continue
        seen.add(name)
        waiting.append(own)
        count += len(own)
        if len(waiting) == _TOGETHER or count > _MOST_ROWS:
            yield from _joined(waiting, path, steps)
            waiting, count = [], 0
    yield from _joined(waiting, path, steps)


def _names(column: str) -> Any:
    """A function from a row to the name of its series; a row that cannot be read belongs to the series before it."""
    name = "series"

    def named(row: Row) -> str:
        nonlocal name
        name = name if row.values is None else str(row.values.get(column, "series"))
        return name

    return named


def _joined(groups: Sequence[list[Row]], path: Path, steps: Steps) -> Iterator[Row]:
    """A row for each group of rows."""
    for rows, (found, warning) in zip(groups, _on_grids(groups, path, steps), strict=True):
        problem, values = (found, None) if isinstance(found, str) else ("", _values(found, rows, steps))
        yield Row(rows[0].line, values, problem, rows[-1].end, warning)


def _on_grids(groups: Sequence[list[Row]], path: Path, steps: Steps) -> list[tuple[OneSeries | str, str]]:
    """The series of groups of rows, or what is wrong with a group; and a warning of rows that were left out."""
    if len(groups) == 1 and (bad := next((row for row in groups[0] if row.problem), None)):
        return [(f"line {bad.line}: {bad.problem}", "")]
    # Numbered, because a name may come twice. One alone keeps its name, for messages.
    named = _names(steps.source.series_column)
    numbered = [
        {**(row.values or {}), steps.source.series_column: named(row) if len(groups) == 1 else str(number)}
        for number, rows in enumerate(groups)
        for row in rows
    ]
    try:
        if any(row.problem for rows in groups for row in rows):
            raise DataError("a row cannot be read")
        found, rejected = series_of(numbered, path, steps.source, steps.frequency) if groups else ([], [])
        if len(groups) == 1 and found:
            return [(found[0], _warning(rejected, groups[0]))]
        if len(found) == len(groups):
            owners = [number for number, rows in enumerate(groups) for _ in rows]
            bad_ones = {owners[_place(one)] for one in rejected}  # again by themselves, for messages with their names
            return [
                _on_grids([rows], path, steps)[0] if number in bad_ones else (one, "")
                for number, (rows, one) in enumerate(zip(groups, found, strict=True))
            ]
        problem = "no row has a time"
    except DataError as error:
        problem = str(error).removeprefix(f"{path}: ")
    if len(groups) == 1:
        return [(problem, "")]
    return [one for rows in groups for one in _on_grids([rows], path, steps)]  # so that one costs no other


def _warning(rejected: Sequence[Rejected], rows: Sequence[Row]) -> str:
    """What is wrong with rows of one series; the first is named."""
    if not rejected:
        return ""
    first, more = rejected[0], f"; and {len(rejected) - 1} more in this series" if len(rejected) > 1 else ""
    return f"line {rows[_place(first)].line}: {first.reason}{more}"


def _place(bad: Rejected) -> int:
    """The place of a row among those that `series_of` was given."""
    return (bad.line or 2) - 2


def _values(one: OneSeries, rows: list[Row], steps: Steps) -> dict[str, Any]:
    first = rows[0].values or {}
    every = {
        "series": str(first.get(steps.source.series_column, "series")),
        "history": _as_json(one.values),
        "start": str(one.start),
        "known": _as_json(one.known[: len(one) + steps.horizon]),
        "past": _as_json(one.past),
        "static": list(one.static),
    }
    return {name: every[name] for name in steps.columns}


def _as_json(values: np.ndarray) -> list[Any]:
    """Numbers with as few digits as tell them from other float32 ones, and None where one is missing."""
    if values.ndim > 1:
        return [_as_json(row) for row in values]
    return [None if text == "nan" else float(text) for text in values.astype(str).tolist()]
