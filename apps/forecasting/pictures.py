"""The pictures of forecasts: bands around a median, errors by horizon, calibration, and the worst series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import matplotlib.colors
import matplotlib.dates
import matplotlib.figure
import numpy as np

from rnnapps.apps.forecasting.cli import Shown
from rnnapps.apps.forecasting.metrics import interval_places
from rnnapps.apps.forecasting.requests import times
from rnnapps.cli.output import say
from rnnapps.datasets import TimeSeries
from rnnapps.training.plots import INK, STYLE, TRAIN, VALIDATION, plain, save

if TYPE_CHECKING:
    from rnnapps.apps.forecasting.model import Forecaster

_PANELS = 6
_COLOURS = (VALIDATION, TRAIN, "#5b8c5a", "#b08900")


def draw_forecasts(
    split: TimeSeries, origins: Sequence[tuple[int, int]], quantiles: np.ndarray, levels: Sequence[float], path: Path
) -> None:
    """Draws forecasts of sampled series together with the actual values."""
    chosen = np.random.default_rng(0).permutation(len(origins))[:_PANELS]
    _draw_windows(split, [origins[index] for index in sorted(chosen)], quantiles[sorted(chosen)], levels, path)


def draw_worst(
    split: TimeSeries,
    origins: Sequence[tuple[int, int]],
    quantiles: np.ndarray,
    levels: Sequence[float],
    scales: np.ndarray,
    path: Path,
) -> None:
    """Draws the forecasts with the largest errors, of different series if there are enough."""
    median = quantiles[..., list(levels).index(0.5)]
    actual = np.stack([split.series[index].values[origin : origin + split.horizon] for index, origin in origins])
    errors = np.nan_to_num(np.abs(actual - median)).mean(axis=1) / scales
    chosen: dict[int, int] = {}
    for place in np.argsort(-errors):
        chosen.setdefault(origins[place][0], int(place))
    places = list(chosen.values())[:_PANELS]
    titles = [f"MASE {errors[place]:.2f}" for place in places]
    _draw_windows(split, [origins[place] for place in places], quantiles[places], levels, path, titles)


def _draw_windows(
    split: TimeSeries,
    origins: Sequence[tuple[int, int]],
    quantiles: np.ndarray,
    levels: Sequence[float],
    path: Path,
    titles: Sequence[str] = (),
) -> None:
    panels = []
    for number, (index, origin) in enumerate(origins):
        one = split.series[index]
        first = max(0, origin - 2 * max(split.horizon, split.season))
        title = one.id + (f", {titles[number]}" if titles else "")
        if split.frequency is None:
            places: np.ndarray = np.arange(first, origin + split.horizon)
        else:
            places = split.frequency.after(one.start, np.arange(first, origin + split.horizon))
        panels.append((title, places, one.values[first : origin + split.horizon], quantiles[number]))
    draw_bands(panels, levels, path)


def draw_bands(
    panels: Sequence[tuple[str, np.ndarray, np.ndarray, np.ndarray]],
    levels: Sequence[float],
    path: Path,
    columns: int = 2,
) -> None:
    """Draws a panel for each series and writes a PNG.

    Args:
        panels: Title, times (time,), values (time,) or only the first of them, and quantiles (horizon, levels) of the
            last times.
        levels: Levels of the quantiles.
        path: The PNG file to write.
        columns: Panels side by side.
    """
    middle, bands = list(levels).index(0.5), interval_places(levels)
    columns = min(columns, len(panels))
    lines = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(6.2 * columns, 2.7 * lines), layout="constrained")
        for place, (title, times, values, quantiles) in enumerate(panels):
            axes = figure.add_subplot(lines, columns, place + 1)
            axes.set_title(plain(title), loc="left")
            known = len(times) - len(quantiles)
            ahead = times[known:]
            if known and np.isfinite(values[known - 1]):  # no gap between what is known and the forecast
                ahead = times[known - 1 :]
                quantiles = np.concatenate([np.full((1, len(levels)), values[known - 1]), quantiles])
            for interval, (low, high) in sorted(bands.items(), reverse=True):
                axes.fill_between(
                    ahead,
                    quantiles[:, low],
                    quantiles[:, high],
                    color=_lighter(VALIDATION, interval / 100),
                    linewidth=0,
                    label=f"{interval} %",
                )
            axes.plot(times[: len(values)], values, color=INK, linewidth=1.1, label="observed")
            axes.plot(ahead, quantiles[:, middle], color=VALIDATION, linewidth=1.6, label="median")
            axes.axvline(times[max(known - 1, 0)], color="#b8c0cc", linewidth=0.8)
            bottom, top = axes.get_ylim()
            least = 1e-3 * max(abs(bottom), abs(top))
            if top - bottom < least:  # a constant series; its rounding errors are no curve
                axes.set_ylim(bottom - least, top + least)
            if np.issubdtype(times.dtype, np.datetime64):
                locator = matplotlib.dates.AutoDateLocator(minticks=3, maxticks=8)
                axes.xaxis.set_major_locator(locator)
                axes.xaxis.set_major_formatter(matplotlib.dates.ConciseDateFormatter(locator))
            if place == 0:
                handles, labels = axes.get_legend_handles_labels()
                figure.legend(handles, labels, fontsize=8, loc="outside upper right", ncols=len(labels))
        save(figure, path)


def _lighter(colour: str, share: float) -> tuple[float, ...]:
    """A colour mixed with a share of white."""
    return tuple(share * 0.9 + (1 - share * 0.9) * part for part in matplotlib.colors.to_rgb(colour))


def draw_errors(
    actual: np.ndarray, named: Mapping[str, np.ndarray], levels: Sequence[float], scales: np.ndarray, path: Path
) -> None:
    """Draws the mean absolute scaled error at each step of the horizon, for each method."""
    middle = list(levels).index(0.5)
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(6.4, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for colour, (name, quantiles) in zip(_COLOURS, named.items(), strict=False):
            errors = np.abs(actual - quantiles[..., middle]) / scales[:, None]
            means = np.nansum(errors, axis=0) / np.maximum(np.isfinite(errors).sum(axis=0), 1)
            axes.plot(np.arange(1, len(means) + 1), means, color=colour, label=name)
        axes.set(xlabel="step of the horizon", ylabel="mean absolute scaled error", ylim=(0, None))
        axes.set_title("error by horizon", loc="left")
        axes.legend()
        save(figure, path)


def draw_calibration(actual: np.ndarray, named: Mapping[str, np.ndarray], levels: Sequence[float], path: Path) -> None:
    """Draws the share of the values below each quantile against the share that should be below it."""
    present = np.isfinite(actual)
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(4.6, 4.4), layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color="#b8c0cc", linewidth=1)
        for colour, (name, quantiles) in zip(_COLOURS, named.items(), strict=False):
            shares = [(actual <= quantiles[..., place])[present].mean() for place in range(len(levels))]
            axes.plot(levels, shares, marker="o", markersize=4, color=colour, label=name)
        axes.set(xlabel="level of the quantile", ylabel="share of the values below it", xlim=(0, 1), ylim=(0, 1))
        axes.set_title("calibration", loc="left")
        axes.legend()
        save(figure, path)


def draw_answers(
    answered: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], season: int, path: Path, columns: int = 2
) -> None:
    """Draws the forecasts of the first series and writes a PNG.

    Args:
        answered: Rows of `rnnapps.apps.forecasting.requests.rows`, and the answers to them.
        season: Steps in a season; three of them, or three horizons, are drawn of a history.
        path: The PNG file to write.
        columns: Panels side by side.
    """
    panels = []
    levels: list[float] = []
    for row, answer in answered[:_PANELS]:
        levels = [float(level) for level in answer["quantiles"]]
        quantiles = np.stack([np.array(values) for values in answer["quantiles"].values()], axis=-1)
        horizon = len(quantiles)
        history = np.asarray(row["history"], np.float64)[-3 * max(horizon, season) :]
        if "first" in row:
            places = np.concatenate([times(row, -len(history)), times(row, horizon)])
        else:
            places = np.arange(1 - len(history), horizon + 1)
        panels.append((str(row["series"]), places, history, quantiles))
    path.parent.mkdir(parents=True, exist_ok=True)
    draw_bands(panels, levels, path, columns)


def draw(model: Forecaster, answered: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], decoding: Shown) -> None:
    """Draws the answers of `predict`, if `--plot` names a file."""
    if decoding.plot is not None and answered:
        draw_answers(answered, model.season, decoding.plot)
        say(f"wrote {decoding.plot}", err=True)
