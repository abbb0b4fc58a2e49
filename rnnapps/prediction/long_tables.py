"""Long tables of time series, with a row for each value, as input for an export that forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnapps.datasets.frequency import parsed
from rnnapps.datasets.rows import SUFFIXES, open_rows
from rnnapps.datasets.series_rows import SeriesRows, Steps
from rnnapps.datasets.sources import SeriesSource
from rnnapps.options import redirected


def steps_of(about: Mapping[str, Any], source: SeriesSource) -> Steps | None:
    """How the rows of a long table become the series that a model takes.

    Args:
        about: What the model says about itself: `frequency`, `horizon`, and the columns `known`, `past` and `static`.
        source: Names the other columns.

    Returns:
        The way to combine them; None if the model does not say.
    """
    if "frequency" not in about or "horizon" not in about:
        return None
    beside = {name: tuple(about.get(name, ())) for name in ("known", "past", "static")}
    frequency = parsed(about["frequency"]) if about["frequency"] else None
    return Steps(redirected(source, beside), frequency, about["horizon"])


def open_series(path: Path, steps: Steps | None, history: str, quoting: str = "standard") -> SeriesRows | None:
    """Opens a file as a long table of series, unless each of its rows is a series.

    Args:
        path: The file.
        steps: How rows become series; None if unknown.
        history: The column that a file has if each row is a series.
        quoting: What quotes mean, see `open_rows`.

    Returns:
        The series of a long table; None if each row is a series.
    """
    if steps is None or path.suffix.lower() not in SUFFIXES:
        return None
    columns = open_rows(path, (), quoting=quoting).columns
    wanted = (steps.source.time_column, steps.source.value_column)
    if history in columns or not set(wanted) <= set(columns):
        return None
    return SeriesRows.of(open_rows(path, wanted, quoting=quoting), steps)
