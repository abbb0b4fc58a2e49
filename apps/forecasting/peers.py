"""Forecasts to compare with: seasonal naive, Naive2 of the M4 competition, and statistical models."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from rnnapps.datasets import TimeSeries
from rnnapps.extras import from_extra


class Forecasts(NamedTuple):
    """Forecasts of all windows by one method.

    Attributes:
        quantiles: (forecasts, horizon, levels).
        seconds: How long they took.
    """

    quantiles: np.ndarray
    seconds: float


def seasonal_naive(split: TimeSeries, origins: Sequence[tuple[int, int]], levels: Sequence[float]) -> Forecasts:
    """The last season repeated, with the spread of the changes from season to season.

    The spread grows with the square root of the number of seasons ahead, as for a random walk of seasons.
    """
    began = time.perf_counter()
    found = []
    for index, origin in origins:
        known = without_gaps(split.series[index].values[:origin], split.season)
        season = split.season if len(known) >= split.season else 1
        steps = np.arange(split.horizon)
        median = known[-season:][steps % season]
        changes = known[season:] - known[:-season]
        spread = np.sqrt(np.mean(np.square(changes))) if len(changes) else 0.0
        widths = spread * np.sqrt(steps // season + 1)
        found.append(median[:, None] + widths[:, None] * np.array([NormalDist().inv_cdf(level) for level in levels]))
    return Forecasts(np.stack(found).astype(np.float32), time.perf_counter() - began)


def naive2(split: TimeSeries, origins: Sequence[tuple[int, int]]) -> np.ndarray:
    """The last value, adjusted for the season where there is one: the reference of OWA, (forecasts, horizon).

    A series is seasonal if its autocorrelation at the season is significant at the 90 % level; it is then divided
    by the indices of a classical multiplicative decomposition, as in the M4 competition.
    """
    found = []
    for index, origin in origins:
        known = without_gaps(split.series[index].values[:origin].astype(np.float64), split.season)
        indices = np.ones(split.season)
        if _is_seasonal(known, split.season) and (known > 0).all():
            indices = _seasonal_indices(known, split.season)
        places = (len(known) + np.arange(split.horizon)) % split.season
        found.append(known[-1] / indices[(len(known) - 1) % split.season] * indices[places])
    return np.stack(found)


def statistical(split: TimeSeries, origins: Sequence[tuple[int, int]], levels: Sequence[float]) -> dict[str, Forecasts]:
    """AutoETS and AutoTheta of statsforecast, each fitted to everything known at an origin, with their own intervals.

    Raises:
        UserError: statsforecast is not installed.
    """
    models = from_extra("statsforecast.models", extra="forecasting", purpose="--peers")
    found = {}
    for name in ("AutoETS", "AutoTheta"):
        began = time.perf_counter()
        answers = []
        for index, origin in origins:
            known = without_gaps(split.series[index].values[:origin], split.season).astype(np.float32)
            season = split.season if len(known) > 2 * split.season else 1
            bands = [round(100 * (1 - 2 * level), 6) for level in levels if level < 0.5]
            model = getattr(models, name)(season_length=season)
            answer = model.forecast(y=known, h=split.horizon, level=sorted(bands) or None)
            answers.append(np.stack([_at(answer, level) for level in levels], axis=-1))
        found[name] = Forecasts(np.stack(answers).astype(np.float32), time.perf_counter() - began)
    return found


def _at(answer: dict[str, np.ndarray], level: float) -> np.ndarray:
    """The quantile of a level among the intervals of statsforecast."""
    if abs(level - 0.5) < 1e-9:
        return answer["mean"]
    band = round(100 * abs(1 - 2 * level), 6)
    name = next(key for key in answer if key.startswith("lo-" if level < 0.5 else "hi-") and float(key[3:]) == band)
    return answer[name]


def without_gaps(values: np.ndarray, season: int) -> np.ndarray:
    """A series whose missing values come from a season before, else from the step before, else from the first value.

    Args:
        values: Float (time,), NaN where a value is missing.
        season: Steps in a season.
    """
    values = values.copy()
    for distance in (season, 1):
        for place in np.flatnonzero(np.isnan(values)):
            if place >= distance:
                values[place] = values[place - distance]
    present = np.flatnonzero(np.isfinite(values))
    if not len(present):
        return np.zeros_like(values)
    values[: present[0]] = values[present[0]]
    return values


def _is_seasonal(known: np.ndarray, season: int) -> bool:
    if season == 1 or len(known) < 3 * season:
        return False
    centred = known - known.mean()
    total = np.sum(np.square(centred))
    if not total:
        return False
    correlations = [np.sum(centred[lag:] * centred[:-lag]) / total for lag in range(1, season + 1)]
    limit = 1.645 * np.sqrt((1 + 2 * np.sum(np.square(correlations[:-1]))) / len(known))
    return abs(correlations[-1]) > limit


def _seasonal_indices(known: np.ndarray, season: int) -> np.ndarray:
    window = np.ones(season) / season
    if season % 2 == 0:
        window = np.concatenate([[0.5], np.ones(season - 1), [0.5]]) / season
    trend = np.convolve(known, window, mode="valid")
    first = (len(known) - len(trend)) // 2
    ratios = known[first : first + len(trend)] / trend
    places = (first + np.arange(len(trend))) % season
    indices = np.array([ratios[places == place].mean() for place in range(season)])
    return indices / indices.mean()
