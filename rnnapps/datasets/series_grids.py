"""Rows with times as arrays on a regular grid: sorted, without repeats, with not-a-number where a step has no row."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rnnapps.datasets.frequency import Frequency, inferred
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.sources import SeriesSource
from rnnapps.extras import from_extra

if TYPE_CHECKING:
    import pandas as pd

_SPARSEST = 1000  # steps for each row; more mean a wrong time


@dataclasses.dataclass
class Grid:
    """Series on one grid.

    Attributes:
        frequency: The step; None for values without times.
        starts: The first time of each series, datetime64[s].
        columns: The values of each series and the columns beside them, float32 `(time,)`, by name.
        static: The categories of each series.
        known, past: Names of the columns beside the values.
        rejected: Rows that were left out.
        notes: What was done to the rows.
    """

    frequency: Frequency | None
    starts: list[np.datetime64]
    columns: list[dict[str, np.ndarray]]
    static: list[tuple[str, ...]]
    known: tuple[str, ...]
    past: tuple[str, ...]
    rejected: list[Rejected]
    notes: list[str]


def times_of(column: pd.Series, *, utc: bool) -> pd.Series:
    """The times that a column of texts holds, not-a-time where it holds none.

    Args:
        column: Texts, or times already.
        utc: Whether times with different offsets from UTC are fine anyway; without, they become UTC only if any
            has an offset.
    """
    pd = from_extra("pandas", extra="forecasting", purpose="reading time series")
    if pd.api.types.is_datetime64_any_dtype(column):
        return column
    texts = column.astype(str).str.strip()
    offsets = texts.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True) & texts.str.contains(":")
    if utc or offsets.any():
        return pd.to_datetime(texts, errors="coerce", utc=True, format="mixed")
    times = pd.to_datetime(texts, errors="coerce", format="ISO8601")
    if times.notna().any():
        return times
    # Not ISO 8601, such as 31/12/2024: one format for the whole column, so that days and months are never mixed.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the first time tells no format: then there are none
        return pd.to_datetime(texts, errors="coerce", dayfirst=order_of(texts) == "day")


def order_of(texts: pd.Series) -> str:
    """What the first number is of dates such as 13.01.2023 and 01/13/2023: "day" or "month"; "" for other times.

    A number above 12 shows it. Where there is none, dots mean that the day is first, and other separators the month.
    """
    numbers = texts.astype(str).str.extract(r"^\s*(\d{1,2})([./-])(\d{1,2})\2\d{2,4}\b").dropna()
    if numbers.empty:
        return ""
    first, second = numbers[0].astype(int).max(), numbers[2].astype(int).max()
    if first > 12 or second > 12:
        return "day" if first > 12 else "month"
    return "day" if (numbers[1] == ".").all() else "month"


def on_a_grid(
    groups: Mapping[str, pd.DataFrame],
    frequency: Frequency | None,
    path: Path,
    source: SeriesSource,
    usual: Frequency | None = None,
) -> Grid:
    """Puts the rows of every series on one grid.

    Args:
        groups: Rows by series, with the columns `time` (times, or whole numbers), `value`, `row` and those beside the
            value.
        frequency: The step; None: inferred from the times.
        path: The file, for messages.
        source: Names the columns beside the values.
        usual: The step where nothing else tells one.

    Raises:
        DataError: A time is not on the grid, or series have different steps.
    """
    groups = dict(groups)
    rejected: list[Rejected] = []
    unsorted = 0
    for name, group in groups.items():
        if not group["time"].is_monotonic_increasing:
            unsorted += 1
            group = group.sort_values("time", kind="stable")
        if (repeated := group["time"].duplicated()).any():
            again = group[repeated]
            rejected += (
                Rejected(int(row), f"a second value of {name!r} at {time}; the first is kept", path)
                for row, time in zip(again["row"], again["time"], strict=True)
            )
            group = group[~repeated]
        groups[name] = group
    dated = any(np.issubdtype(group["time"].dtype, np.datetime64) for group in groups.values())
    times = {name: group["time"].to_numpy("datetime64[s]") for name, group in groups.items()} if dated else {}
    notes = []
    for name, own in times.items():
        if (np.diff(own) == np.timedelta64(0, "s")).any():
            raise DataError(
                f"{path}: the series {name!r} has several times within a second; aggregate its rows to whole"
                f" seconds, or number them in {source.time_column!r}"
            )
    if dated:
        told = inferred(list(times.values()))
        frequency = frequency or told or usual
        if frequency is None:
            raise DataError(f"{path}: one time per series does not show the frequency; name it with --frequency")
    elif frequency is not None:
        raise DataError(f"{path}: {source.time_column!r} has no times, but steps of {frequency.step} need them")
    if unsorted:
        notes.append(f"the rows of {unsorted:,} series were not in order of time and were sorted")
    grid = Grid(frequency, [], [], [], source.known, source.past, rejected, notes)
    gaps = 0
    for name, group in groups.items():
        if dated and frequency is not None:
            places = _places(name, times[name], frequency, path)
            grid.starts.append(times[name][0])
        else:
            places = _whole(name, group["time"].to_numpy("float64"), path)
            grid.starts.append(np.datetime64("NaT", "s"))
        length = int(places[-1]) + 1
        gaps += length - len(places)
        columns = {}
        for column in ("value", *source.known, *source.past):
            columns[column] = np.full(length, np.nan, np.float32)
            columns[column][places] = group[column].to_numpy("float64")
        grid.columns.append(columns)
        grid.static.append(tuple(_category(name, group[column], path) for column in source.static))
    if gaps:
        what = "step has no row; its value is" if gaps == 1 else "steps have no row; their values are"
        notes.append(f"{gaps:,} {what} missing")
    return grid


def _category(name: str, column: pd.Series, path: Path) -> str:
    """The category that a series has in a column; empty cells say nothing."""
    found = column[column != ""].unique()
    if len(found) > 1:
        raise DataError(
            f"{path}: {column.name!r} of the series {name!r} changes from {found[0]!r} to {found[1]!r}; --static is for"
            " what never changes in a series, --known and --past are for numbers that do"
        )
    return str(found[0]) if len(found) else ""


def _places(name: str, times: np.ndarray, frequency: Frequency, path: Path) -> np.ndarray:
    own = inferred([times]) if len(times) > 3 else None
    if own is not None and own != frequency and own.unit == frequency.unit and own.count != frequency.count:
        raise DataError(
            f"{path}: the series {name!r} has a step of {own.step} instead of {frequency.step}; one model reads one"
            " frequency: split the file, or bring all series to one step"
        )
    places = frequency.positions(times)
    off = places != np.round(places)
    off[1:] |= np.diff(places) == 0  # two days of one month
    if off.any():
        raise DataError(
            f"{path}: the series {name!r} has the time {times[off][0]}, which is not a whole number of steps of"
            f" {frequency.step} after {times[0]}; correct it, or name the step with --frequency"
        )
    if places[-1] > _SPARSEST * len(places):
        raise DataError(
            f"{path}: the series {name!r} has only {len(times)} rows between {times[0]} and {times[-1]}, which are"
            f" {int(places[-1])} steps of {frequency.step} apart; correct the times, or name the step with --frequency"
        )
    return places.astype(np.int64)


def _whole(name: str, numbers: np.ndarray, path: Path) -> np.ndarray:
    places = numbers - numbers[0]
    if (places != np.round(places)).any() or places[-1] > _SPARSEST * len(places):
        wrong = next((number for number in numbers if number != round(number)), numbers[-1])
        raise DataError(f"{path}: the series {name!r} must have times, or numbers without gaps, got {wrong:g}")
    return places.astype(np.int64)
