"""Time series of one split, in memory: values on a regular grid, what is known beside them, and what to forecast."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnapps.datasets.frequency import Frequency
from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.sources import SeriesSource


@dataclass(frozen=True)
class OneSeries:
    """A series.

    Attributes:
        id: Its name.
        values: Float32 `(time,)`; not-a-number where a value is missing.
        start: The time of the first value, datetime64[s]; not-a-time for values without times.
        known: Covariates that are known ahead, float32 `(time + ahead, columns)`.
        past: Covariates that are known only when the values are, float32 `(time, columns)`.
        static: A category for each static column.
        begin: The first step that the split forecasts.
        end: The step after the last one that it forecasts.
    """

    id: str
    values: np.ndarray
    start: np.datetime64
    known: np.ndarray
    past: np.ndarray
    static: tuple[str, ...] = ()
    begin: int = 0
    end: int = 0

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class TimeSeries:
    """The series of a split. All splits hold whole series, and differ in `begin` and `end` of each.

    Attributes:
        series: The series.
        frequency: Their step; None for values without times.
        season: Steps in a season.
        horizon: Steps to forecast.
        name: The data set as it was asked for.
        split: "train", "validation", "test" or "all".
        known, past, static: Names of the columns beside the values.
        rejected: Rows and series that were left out.
        notes: Remarks on the data that `summary` repeats.
    """

    series: tuple[OneSeries, ...]
    frequency: Frequency | None
    season: int
    horizon: int
    name: str
    split: str = "all"
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.series)

    def origins(self, windows: int | None = None) -> list[tuple[int, int]]:
        """The forecasts of the split: a series and the number of its values that are known.

        Args:
            windows: The number of forecasts of a series, the last ones; None for all. Each begins where the one
                before ends.
        """
        found = []
        for index, one in enumerate(self.series):
            own = range(one.end - self.horizon, max(one.begin, 1) - 1, -self.horizon)
            found += [(index, origin) for origin in reversed(own[:windows])]
        return found


def seasonal_error(values: np.ndarray, season: int) -> float:
    """The mean absolute difference between values a season apart, by which MASE divides.

    Where it is 0 or unknown, as of a constant series, the mean absolute value takes its place, or else 1.
    """
    distance = season if len(values) > season else 1
    error = _mean(np.abs(values[distance:] - values[:-distance]))
    return float(error or _mean(np.abs(values)) or 1.0)


def _mean(values: np.ndarray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean(dtype=np.float64)) if len(values) else 0.0


def divided(whole: TimeSeries, source: SeriesSource, splits: Sequence[str]) -> dict[str, TimeSeries]:
    """Divides series in time: the last horizons are tested on, those before validate, and the rest trains.

    Args:
        whole: The series.
        source: Says how many horizons to hold out, see `SeriesSource.windows`.
        splits: The splits wanted, or only "all".

    Raises:
        DataError: No series is long enough.
    """
    horizon = whole.horizon
    if list(splits) == ["all"]:
        series = [dataclasses.replace(one, begin=1, end=len(one)) for one in whole.series if len(one) > horizon]
        return {"all": _checked(dataclasses.replace(whole, series=tuple(series), split="all"))}
    if few := sum(len(one) <= whole.season for one in whole.series):
        what = "series has" if few == 1 else "series have"
        note = f"warning: {few:,} {what} no more than the {whole.season} steps of a season; give a smaller --season"
        whole = dataclasses.replace(whole, notes=(*whole.notes, note))
    windows = source.windows or max(1, int(np.median([len(one) for one in whole.series])) // (10 * horizon))
    return {
        split: _checked(_part(whole, split, windows * horizon, len_after=0 if source.test is None else horizon))
        for split in splits
    }


def _part(whole: TimeSeries, split: str, held_out: int, len_after: int) -> TimeSeries:
    """A split; `len_after` is the length of the test part where the data have one of their own, else 0."""
    test = len_after or held_out
    series = []
    for one in whole.series:
        last = len(one) - test
        begin, end = {
            "train": (0, last - held_out),
            "validation": (last - held_out, last),
            "test": (last, len(one)),
        }[split]
        if last - held_out >= whole.horizon + 1:  # so that a window can train
            series.append(dataclasses.replace(one, begin=begin, end=end))
    notes = list(whole.notes)
    if short := len(whole) - len(series):
        what = "series is" if short == 1 else "series are"
        notes.append(f"{short:,} {what} shorter than {test + held_out + whole.horizon + 1} steps and left out")
    return dataclasses.replace(whole, series=tuple(series), split=split, notes=tuple(notes))


def _checked(part: TimeSeries) -> TimeSeries:
    if not part.series:
        raise DataError(
            f"{part.name}: no series is long enough for the {part.split} split: to forecast {part.horizon} steps, give"
            " longer series, or a smaller --horizon or --windows"
        )
    return part
