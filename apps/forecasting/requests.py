"""Requests to the signature of a forecaster, and the meaning of its answers. No TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rnnapps.apps.forecasting.cli import Shown
from rnnapps.cli import RunConfig
from rnnapps.cli.output import say
from rnnapps.datasets.frequency import parsed
from rnnapps.datasets.rejected import DataError, skipped
from rnnapps.datasets.sources import SeriesSource
from rnnapps.errors import UserError
from rnnapps.files import exists
from rnnapps.options import changed, redirected
from rnnapps.prediction.drawn_files import check_on_screen, check_suffix
from rnnapps.prediction.requests import TEXT, as_input
from rnnapps.serving.clients.errors import BadRequest
from rnnapps.serving.clients.signatures import TensorSpec
from rnnapps.terminal import shortened

if TYPE_CHECKING:
    from rnnapps.datasets import TimeSeries
    from rnnapps.datasets.series_rows import SeriesRows

_SPECS = {
    "history": TensorSpec("float32", (None,)),
    "start": TEXT,
    "known": TensorSpec("float32", (None, None)),
    "past": TensorSpec("float32", (None, None)),
    "static": TensorSpec("object", (None,)),
}


def rows(arguments: Sequence[str], config: RunConfig | None, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The series of tables, or of the data of a run if no table is given; one row per series.

    Args:
        arguments: Paths of tables. A text with no such file that consists of numbers is a history.
        config: What the run was started with; None for an export or a server.
        about: What an export says about itself.
    """
    if not arguments and config is None:
        raise UserError("no input: name tables of series")
    if not arguments and config is not None:
        from rnnapps.datasets import load_splits

        yield from _rows_of(load_splits(config.source, ["test"])["test"], about)
    for argument in arguments:
        if not argument.strip():
            raise UserError("an argument is empty; name a table of series, or give numbers: '1 2 3'")
        if history := _numbers(argument):
            if missing := beside_values(about):
                raise UserError(
                    f"{argument!r}: numbers have no {' and no '.join(missing)}, which the model reads: name a table of"
                    " series"
                )
            yield {"series": shortened(argument, 40), "history": history}
            continue
        from rnnapps.datasets.series_tables import read_series
        from rnnapps.prediction import long_tables

        source = redirected(SeriesSource() if config is None else config.source, {"dataset": argument})
        steps = long_tables.steps_of(about, source)
        path = Path(argument).expanduser()
        if not exists(path):
            words = argument.replace(",", " ").split()
            wrong = next((word for word in words if not _numbers(word)), "") if any(map(_numbers, words)) else ""
            found = f"{wrong!r} in {argument!r} is not a number" if wrong else f"no such file: {argument!r}"
            raise UserError(f"{found}; name a table of series, or give numbers: '1 2 3'")
        series = read_series(path, source) if steps is None else read_series(path, steps.source, steps.frequency)
        for line in skipped(series.rejected, "row", "rows"):
            say(line, err=True)
        yield from _rows_of(series, about)


def beside_values(about: Mapping[str, Any]) -> list[str]:
    """What a model reads of a series besides its values: times, and kinds of columns. Unknown for a server."""
    return ["times"] * bool(about.get("frequency")) + [name for name in ("known", "past", "static") if about.get(name)]


def open_series(
    path: Path, columns: Mapping[str, str], config: RunConfig | None, about: Mapping[str, Any], quoting: str
) -> SeriesRows | None:
    """The file of `--input` if it is a long table, with a row for each value; its rows are read series by series.

    Args:
        path: The file.
        columns: The columns of `history` and the other inputs, where a row holds a series.
        config: What the run was started with; it names the columns of a long table. None for an export or a server.
        about: What an export says about itself; a server says nothing, so it cannot answer long tables.
        quoting: What quotes mean.

    Returns:
        The rows; None if a row of the file holds a series.
    """
    from rnnapps.prediction import long_tables

    source = SeriesSource() if config is None else config.source
    return long_tables.open_series(path, long_tables.steps_of(about, source), columns["history"], quoting)


def check_steps(name: str, wanted: str, found: str) -> None:
    """Refuses series whose steps are not those that the model forecasts.

    Args:
        name: The data, for the message.
        wanted, found: The steps of the model and of the data, such as "3600 seconds"; "" for values without times.

    Raises:
        DataError: They differ.
    """
    if found != wanted:
        expected, got = (f"steps of {parsed(step).step}" if step else "no times" for step in (wanted, found))
        raise DataError(f"{name}: the model was trained on series with {expected}, got {got}")


def _rows_of(series: TimeSeries, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    frequency = "" if series.frequency is None else str(series.frequency)
    check_steps(series.name, about.get("frequency", frequency), frequency)
    horizon = about.get("horizon", series.horizon)
    for one in series.series:
        row: dict[str, Any] = {"series": one.id, "history": one.values}
        if series.frequency is not None:
            row["start"] = str(one.start)
            row["first"] = str(series.frequency.after(one.start, np.asarray(len(one))))
            row["step"] = str(series.frequency)
        if series.known:
            if (ahead := len(one.known) - len(one)) < horizon:
                columns = ", ".join(series.known)
                raise DataError(
                    f"{series.name}: the series {one.id!r} needs {horizon} rows with {columns} and without a value"
                    f" after its last value, got {max(0, ahead)}"
                )
            row["known"] = one.known[: len(one) + horizon]
        if series.past:
            row["past"] = one.past
        if series.static:
            row["static"] = list(one.static)
        yield row


def _numbers(argument: str) -> list[float]:
    words = argument.replace(",", " ").split()
    try:
        return [float("nan" if word == "null" else word) for word in words]
    except ValueError:
        return []


def request(row: Mapping[str, Any], decoding: Shown) -> dict[str, Any]:
    """The inputs of `serving_default`: the history, and the row's other columns."""
    return {
        name: row[name] if isinstance(row[name], np.ndarray) else as_input(row, name, spec)
        for name, spec in _SPECS.items()
        if name in row or name == "history"
    }


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: Shown) -> dict[str, Any]:
    """The mean and the quantiles of each step, the quantiles by their levels.

    Raises:
        BadRequest: The history has values so large that the answer is not finite.
    """
    if not (np.isfinite(outputs["mean"]).all() and np.isfinite(outputs["quantiles"]).all()):
        raise BadRequest("history: its values are too large to forecast; divide them by a thousand, or more")
    levels = [f"{level:.6g}" for level in outputs["levels"]]
    return {
        "mean": _rounded(outputs["mean"]),
        "quantiles": {
            level: _rounded([step[place] for step in outputs["quantiles"]]) for place, level in enumerate(levels)
        },
    }


def lines(number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Shown) -> Iterator[Sequence[str]]:
    """A line for each step: series, time or number of the step, mean and quantiles, below a header."""
    quantiles = answer["quantiles"]
    if number == 1:
        yield "series", "time" if "first" in row else "step", "mean", *quantiles
    steps = np.arange(len(answer["mean"]))
    for place, step in enumerate(times(row, len(steps)) if "first" in row else steps + 1):
        values = [answer["mean"][place], *(values[place] for values in quantiles.values())]
        yield str(row["series"]), str(step), *(f"{value:.6g}" for value in values)


def times(row: Mapping[str, Any], steps: int) -> np.ndarray:
    """The times of the steps that follow a row of `rows`, datetime64[s]; negative `steps` for those before."""
    numbers = np.arange(steps) if steps >= 0 else np.arange(steps, 0)
    return parsed(row["step"]).after(np.datetime64(row["first"], "s"), numbers)


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `predict --json` repeats of a row: everything except the history and its covariates."""
    return {name: value for name, value in row.items() if name not in _SPECS}


def check(decoding: Shown, asked: str, input: Path | None) -> None:
    """Refuses options of `predict` that do not go together."""
    if decoding.plot is not None:
        check_suffix("--plot", decoding.plot)
        check_on_screen("--plot", asked, input)


def check_config(config: RunConfig) -> None:
    """Refuses options of `train` that do not go together."""
    model = config.model
    if 0.5 not in model.levels or list(model.levels) != sorted(set(model.levels)):
        levels = ",".join(f"{level:g}" for level in model.levels)
        raise UserError(f"--levels must ascend and include 0.5, got {levels}")
    direct = model.head == "quantiles"
    if direct and changed(model, "paths"):
        raise UserError(f"--paths is for heads that sample; leave it out with --head quantiles, got {model.paths}")
    if not direct and changed(model, "segment"):
        raise UserError(f"--segment is for --head quantiles; leave it out with --head {model.head}")
    if not direct and config.source.past:
        raise UserError(f"--past needs --head quantiles, got {model.head}: other heads cannot sample past columns")


def _rounded(values: Sequence[float]) -> list[float]:
    """Seven digits, as many as float32 has."""
    return [float(f"{value:.7g}") for value in values]
