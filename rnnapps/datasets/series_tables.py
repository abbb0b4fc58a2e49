"""Time series in tables: CSV, TSV, JSON lines or Parquet, a row for each value, or a series in each row or column.

A long table has a column of times and one of values; a column that names the series and others beside the values are
optional. Times may be whole numbers where only their order counts. A series in each row: its name first, then its
values, with empty cells at the end of shorter ones. A series in each column: the first column holds the times.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnapps.datasets import frequency as frequencies
from rnnapps.datasets.json_lines import not_lines
from rnnapps.datasets.lines import foreign_byte
from rnnapps.datasets.rejected import DataError, Rejected, first_of
from rnnapps.datasets.series_grids import Grid, on_a_grid, order_of, times_of
from rnnapps.datasets.sources import SeriesSource
from rnnapps.datasets.tables import DELIMITERS, other_delimiter
from rnnapps.datasets.time_series import OneSeries, TimeSeries
from rnnapps.extras import from_extra

if TYPE_CHECKING:
    import pandas as pd

_MISSING = ("", "#n/a", "n/a", "na", "nan", "none", "null")  # how programs write that there is no value
_FIELDS = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")  # says pandas
_OPEN_QUOTE = re.compile(r"EOF inside string starting at row (\d+)")  # so does this
_QUOTES = "look for a missing or extra quotation mark"
SUFFIXES = (".csv", ".tsv", ".jsonl", ".json", ".ndjson", ".parquet")


def read_series(path: Path, source: SeriesSource, usual: frequencies.Frequency | None = None) -> TimeSeries:
    """Reads all series of a file, and those of `source.test` behind them.

    Args:
        path: The file.
        source: Its layout and columns, and what to take for frequency, season and horizon.
        usual: The frequency where neither the source nor the times tell one, as one time for each series.

    Raises:
        DataError: The file cannot be read, lacks a column, or its series have different frequencies.
    """
    rows = _long(path, source)
    notes, rejected = list(rows.notes), list(rows.rejected)
    step = None if source.frequency is None else frequencies.parsed(source.frequency)
    grid = on_a_grid(rows.groups, step, path, source, usual)
    rejected += grid.rejected
    notes += grid.notes
    series = [_series(name, grid, index) for index, name in enumerate(rows.groups)]
    if source.test is not None:
        series = list(_continued(series, source, grid))
    kept = []
    for one in series:
        if np.isfinite(one.values).any():
            kept.append(one)
        else:
            rejected.append(Rejected(None, f"the series {one.id!r} has no values", path))
    if source.strict and rejected:
        raise DataError(f"{rejected[0]}; without --strict it is skipped")
    if not kept:
        raise DataError(f"{path}: no series with values{first_of(rejected, 'row', 'rows')}")
    known = grid.frequency
    return TimeSeries(
        tuple(kept),
        known,
        source.season or (known.season if known else 1),
        source.horizon or (known.horizon if known else 12),
        str(path),
        known=source.known,
        past=source.past,
        static=source.static,
        rejected=tuple(rejected),
        notes=tuple(notes),
    )


def series_of(
    rows: Sequence[Mapping[str, Any]], path: Path, source: SeriesSource, frequency: frequencies.Frequency | None
) -> tuple[list[OneSeries], list[Rejected]]:
    """The series that some rows of a long table hold, in the order of their first rows, and what is wrong with rows.

    Args:
        rows: The rows, by column. What is wrong with them counts them from 2, as a file of their own would.
        path: Their file, for messages.
        source: Names the columns.
        frequency: The step; None where the times tell it.

    Raises:
        DataError: The rows lack a column, or a time is not on the grid.
    """
    pd = from_extra("pandas", extra="forecasting", purpose="reading time series")
    long = _of_long(pd.DataFrame.from_records(rows), path, source)
    grid = on_a_grid(long.groups, frequency, path, source)
    series = [_series(name, grid, index) for index, name in enumerate(long.groups)]
    return series, [*long.rejected, *grid.rejected]


@dataclasses.dataclass
class _Rows:
    """The rows of a long table by series: `time` (or order), `value` and the columns beside it."""

    groups: dict[str, pd.DataFrame]
    rejected: list[Rejected]
    notes: list[str]


def _long(path: Path, source: SeriesSource) -> _Rows:
    frame = _frame(path)
    layout = source.layout if source.layout != "auto" else _layout(frame, path, source)
    if layout != "long" and (source.known or source.past or source.static):
        raise DataError(f"{path}: --known, --past and --static need a long table, a row for each value")
    if layout == "rows":
        return _of_rows(frame, path)
    if layout == "columns":
        return _of_columns(frame, path, source)
    return _of_long(frame, path, source)


def _frame(path: Path) -> pd.DataFrame:
    pd = from_extra("pandas", extra="forecasting", purpose="reading time series")
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f"{path}: time series must end in {', '.join(SUFFIXES)}, got {suffix or 'no suffix'}")
    try:
        if suffix == ".parquet":
            from_extra("pyarrow", extra="forecasting", purpose="reading Parquet")
            frame = pd.read_parquet(path)
            frame = frame.reset_index() if frame.index.name else frame
        elif suffix in (".csv", ".tsv"):
            with warnings.catch_warnings():
                warnings.simplefilter("error", pd.errors.ParserWarning)  # fields would be lost
                separator = "\t" if suffix == ".tsv" else ","
                frame = pd.read_csv(path, sep=separator, dtype=str, encoding="utf-8-sig", index_col=False)
        else:
            with open(path, encoding="utf-8", errors="replace") as file:
                if problem := not_lines(file.read(1 << 16)):
                    raise DataError(f"{path}: {problem}")
            frame = pd.read_json(path, lines=True, dtype=False, convert_dates=False)
    except pd.errors.EmptyDataError:
        raise DataError(f"{path}: no rows; the file is empty") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({foreign_byte(error)}); save it as UTF-8") from None
    except pd.errors.ParserWarning:
        raise DataError(f"{path}: rows have more fields than the header; give every column a name") from None
    except (OSError, ValueError, pd.errors.ParserError) as error:
        if found := _OPEN_QUOTE.search(str(error)):
            raise DataError(
                f"{path}: line {int(found[1]) + 1} begins a quoted value that never ends; {_QUOTES}"
            ) from None
        if found := _FIELDS.search(str(error)):
            expected, line, fields = found.groups()
            raise DataError(
                f"{path}: line {line} has {fields} fields, but those before it have {expected}; fix the line,"
                " and put values that contain a separator in quotes"
            ) from None
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None
    if frame.empty:
        raise DataError(f"{path}: no rows; the file is empty")
    frame.columns = pd.Index([str(column).strip() for column in frame.columns])
    if repeated := next(iter(frame.columns[frame.columns.duplicated()]), None):
        raise DataError(f"{path}: two columns are called {repeated!r}; rename one")
    if suffix in DELIMITERS:
        _check_quotes(frame, path, DELIMITERS[suffix])
    return frame


def _check_quotes(frame: pd.DataFrame, path: Path, delimiter: str) -> None:
    """Refuses values of several lines that have the delimiters of as many rows: a quote swallowed these rows."""
    with open(path, "rb") as file:
        if sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) <= len(frame) + 1:
            return  # which is soon found out, even in tables of millions of cells
    line = 2
    for row in frame.itertuples(index=False):
        more = 0
        for value in row:
            breaks = value.count("\n") if isinstance(value, str) else 0
            if breaks and value.count(delimiter) >= breaks * (frame.shape[1] - 1):
                raise DataError(f"{path}: line {line} has a quoted value of {breaks + 1:,} lines; {_QUOTES}")
            more += breaks
        line += 1 + more


def _layout(frame: pd.DataFrame, path: Path, source: SeriesSource) -> str:
    if {source.value_column, source.time_column} <= set(frame.columns):
        return "long"
    first, others = frame.iloc[:, 0], frame.iloc[:, 1:]
    if others.shape[1] and _are_numbers(others) and not _are_numbers(first.to_frame()):
        return "columns" if times_of(first.iloc[:100], utc=True).notna().all() else "rows"
    wanted = (source.time_column, source.value_column)
    delimiter = DELIMITERS.get(path.suffix.lower())
    if delimiter and (hint := other_delimiter(list(frame.columns), wanted, delimiter)):
        raise DataError(f"{path}: {hint}")
    raise DataError(
        f"{path}: {_missing(frame, *wanted)}; name columns with --time-column and"
        " --value-column, or give the layout with --layout"
    )


def _missing(frame: pd.DataFrame, *wanted: str) -> str:
    column = next(name for name in wanted if name not in frame.columns)
    found = ", ".join(map(repr, list(frame.columns)[:8])) + (", ..." if frame.shape[1] > 8 else "")
    return f"there is no column {column!r}; the columns are {found}"


def _are_numbers(frame: pd.DataFrame) -> bool:
    pd = from_extra("pandas", extra="forecasting", purpose="reading time series")
    head = frame.iloc[:50]
    return bool((head.apply(pd.to_numeric, errors="coerce").notna() | head.isna()).all(axis=None))


def _of_long(frame: pd.DataFrame, path: Path, source: SeriesSource) -> _Rows:
    pd = from_extra("pandas", extra="forecasting", purpose="reading time series")
    options: dict[str, str] = {}
    for option, columns in (
        ("--time-column", (source.time_column,)),
        ("--value-column", (source.value_column,)),
        ("--known", source.known),
        ("--past", source.past),
        ("--static", source.static),
    ):
        for column in columns:
            if column not in frame.columns:
                raise DataError(f"{path}: {_missing(frame, column)}: name one with {option}")
            if column in options:
                both = "twice by" if options[column] == option else f"by {options[column]} and by"
                raise DataError(f"{path}: the column {column!r} is named {both} {option}; name it once")
            options[column] = option
    names = frame[source.series_column].astype(str) if source.series_column in frame.columns else "series"
    rows = pd.DataFrame({"series": names, "row": np.arange(2, len(frame) + 2)}, index=frame.index)
    rejected: list[Rejected] = []
    rows["time"], notes = _times(frame[source.time_column])
    numeric = (source.value_column, *source.known, *source.past)
    for target, column in zip(("value", *source.known, *source.past), numeric, strict=True):
        rows[target] = pd.to_numeric(frame[column], errors="coerce").astype("float64")
        rows.loc[~np.isfinite(rows[target]), target] = np.nan
        if target != "value" and rows[target].isna().all():
            raise DataError(
                f"{path}: the column {column!r} of {options[column]} has no numbers; --static takes categories"
            )
        told = frame[column].notna() & ~frame[column].astype(str).str.strip().str.lower().isin(_MISSING)
        wrong = rows[target].isna() & told
        rejected += (
            Rejected(row, f"{column!r} must be a number, got {str(text)[:40]!r}; taken as missing", path)
            for row, text in zip(rows["row"][wrong], frame[column][wrong], strict=True)
        )
    for column in source.static:
        rows[column] = frame[column].fillna("").astype(str)
    wrong = rows["time"].isna()
    if wrong.sum() > len(rows) / 2:
        raise DataError(
            f"{path}: {wrong.sum():,} of {len(rows):,} rows have no time in {source.time_column!r}, the first of them"
            f" {str(frame[source.time_column][wrong].iloc[0])[:40]!r}; write times as 2024-12-31 or 2024-12-31T18:30"
        )
    rejected += (
        Rejected(row, f"{source.time_column!r} must be a time, got {str(text)[:40]!r}", path)
        for row, text in zip(rows["row"][wrong], frame[source.time_column][wrong], strict=True)
    )
    rows = rows[~wrong]
    return _Rows({str(name): group for name, group in rows.groupby("series", sort=False)}, rejected, notes)


def _times(column: pd.Series) -> tuple[pd.Series, list[str]]:
    """Times without a time zone, or whole numbers; and what was done to them."""
    pd = from_extra("pandas", extra="forecasting", purpose="reading time series")
    numbers = pd.to_numeric(column, errors="coerce")
    if not pd.api.types.is_datetime64_any_dtype(column) and numbers.notna().mean() > 0.5 and numbers.max() < 10_000_000:
        looks_like_years = numbers.between(1500, 2500).all() and (numbers % 1 == 0).all()
        if not looks_like_years:
            return numbers, []
        column = numbers.astype("Int64").astype(str)
    times = times_of(column, utc=False)
    if times.dt.tz is not None:
        return times.dt.tz_convert("UTC").dt.tz_localize(None), ["times with a time zone were converted to UTC"]
    if order_of(column.iloc[:1]):
        order = "day, month, year" if order_of(column) == "day" else "month, day, year"
        return times, [f"times such as {column.iloc[0]!r} are read as {order}"]
    return times, []


def _of_rows(frame: pd.DataFrame, path: Path) -> _Rows:
    pd = from_extra("pandas", extra="forecasting", purpose="reading time series")
    names, cells = frame.iloc[:, 0].astype(str), frame.iloc[:, 1:]
    values = cells.apply(pd.to_numeric, errors="coerce").to_numpy("float64")
    bad = np.argwhere(np.isnan(values) & cells.notna().to_numpy())
    rejected = [
        Rejected(int(row) + 2, f"must be a number, got {str(cells.iat[row, column])[:40]!r}; taken as missing", path)
        for row, column in bad
    ]
    if repeated := next(iter(names[names.duplicated()]), None):
        raise DataError(f"{path}: two rows name the series {repeated!r}; rename one")
    groups = {}
    for row, name in enumerate(names):
        present = np.flatnonzero(np.isfinite(values[row]))
        own = values[row, : present[-1] + 1 if len(present) else 0]
        groups[name] = pd.DataFrame({"row": row + 2, "time": np.arange(len(own)) * 1.0, "value": own})
    return _Rows(groups, rejected, [])


def _of_columns(frame: pd.DataFrame, path: Path, source: SeriesSource) -> _Rows:
    column = source.time_column if source.time_column in frame.columns else frame.columns[0]
    long = frame.melt(id_vars=[column], var_name=" series", value_name=" value")  # no column begins with a space
    long.columns = ["time", "series", "value"]
    plain = SeriesSource(strict=source.strict)
    rows = _of_long(long, path, plain)
    lines = len(frame)
    rejected = [
        dataclasses.replace(bad, line=None if bad.line is None else (bad.line - 2) % lines + 2) for bad in rows.rejected
    ]
    # Before its first and after its last value a column is empty because other series are longer.
    groups = {}
    for name, group in rows.groups.items():
        present = np.flatnonzero(group["value"].notna())
        groups[name] = group.iloc[present[0] : present[-1] + 1] if len(present) else group
    return _Rows(groups, list(dict.fromkeys(rejected)), rows.notes)


def _series(name: str, grid: Grid, index: int) -> OneSeries:
    columns = grid.columns[index]
    values = columns["value"]
    ahead = 0
    if grid.known:  # rows at the end that have no value yet say what is known ahead
        present = np.flatnonzero(np.isfinite(values))
        ahead = len(values) - 1 - (present[-1] if len(present) else -1)
    length = len(values) - ahead

    def stacked(names: tuple[str, ...], size: int) -> np.ndarray:
        return np.stack([columns[one][:size] for one in names], axis=1) if names else np.zeros((size, 0), np.float32)

    return OneSeries(
        name,
        values[:length],
        grid.starts[index],
        stacked(grid.known, len(values)),
        stacked(grid.past, length),
        grid.static[index],
    )


def _continued(series: list[OneSeries], source: SeriesSource, grid: Grid) -> Iterator[OneSeries]:
    """Every series with its values from the file of `--test` behind its own."""
    path = Path(source.test or "").expanduser()
    rows = _long(path, source)
    after = on_a_grid(rows.groups, grid.frequency, path, source)
    found = {name: _series(name, after, index) for index, name in enumerate(rows.groups)}
    for one in series:
        if one.id not in found:
            raise DataError(f"--test {path}: the series {one.id!r} of {source.dataset} is missing")
        other = found[one.id]
        if grid.frequency is not None:
            expected = grid.frequency.after(one.start, np.asarray(len(one)))
            if other.start != expected:
                raise DataError(
                    f"--test {path}: the series {one.id!r} must continue at {expected}, where it ends in"
                    f" {source.dataset}, got {other.start}"
                )
        yield dataclasses.replace(
            one,
            values=np.concatenate([one.values, other.values]),
            known=np.concatenate([one.known[: len(one)], other.known]),
            past=np.concatenate([one.past, other.past]),
        )
