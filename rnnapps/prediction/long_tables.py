"""Long tables of time series, a row for each value, as the input of an export that forecasts."""

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
        about: What the model says of itself: `frequency`, `horizon`, and the columns `known`, `past` and `static`.
        source: Names the other columns.

    Returns:
        How; None if the model does not say it.
    """
    if "frequency" not in about or "horizon" not in about:
        return None
    beside = {name: tuple(about.get(name, ())) for name in ("known", "past", "static")}
    frequency = parsed(about["frequency"]) if about["frequency"] else None
    return Steps(redirected(source, beside), frequency, about["horizon"])


def open_series(path: Path, steps: Steps | None, history: str, quoting: str = "standard") -> SeriesRows | None:
    """Looks at a file, and at whether a row of it holds a value or a series.

    Args:
        path: The file.
        steps: How rows become series; None if nobody says so.
        history: The column that a file has whose rows hold series.
        quoting: What quotes mean, see `open_rows`.

    Returns:
        The series of a long table; None if a row holds a series.
    """
    if steps is None or path.suffix.lower() not in SUFFIXES:
        return None
    columns = open_rows(path, (), quoting=quoting).columns
    wanted = (steps.source.time_column, steps.source.value_column)
    if history in columns or not set(wanted) <= set(columns):
        return None
    return SeriesRows.of(open_rows(path, wanted, quoting=quoting), steps)
