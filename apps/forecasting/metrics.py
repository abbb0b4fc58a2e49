"""How good forecasts are, as the field measures it. Missing values do not count."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from rnnapps.datasets import TimeSeries
from rnnapps.datasets.time_series import seasonal_error

INTERVALS = (50, 80, 90, 95)  # per cent
_NO_ERROR = 1e-5  # of a sMAPE or MASE: rounding of float32


def actual_values(split: TimeSeries, origins: Sequence[tuple[int, int]]) -> np.ndarray:
    """What followed each origin, float32 (forecasts, horizon)."""
    return np.stack([split.series[index].values[origin : origin + split.horizon] for index, origin in origins])


def mase_scales(split: TimeSeries, origins: Sequence[tuple[int, int]]) -> np.ndarray:
    """The seasonal error of what is known at each origin, float64 (forecasts,)."""
    return np.array([seasonal_error(split.series[index].values[:origin], split.season) for index, origin in origins])


def point_figures(actual: np.ndarray, median: np.ndarray, scales: np.ndarray) -> dict[str, float]:
    """The errors of a point forecast.

    Args:
        actual: Values, (forecasts, horizon), NaN where they are missing.
        median: Forecasts of the same shape.
        scales: What MASE divides by, (forecasts,).

    Returns:
        `mase`, the mean absolute error in units of the scale; `smape`, in per cent; `mae`, the mean absolute error in
        the unit of the values.

    Reference: Makridakis et al., "The M4 Competition", International Journal of Forecasting 36 (2020).
    """
    actual, median = actual.astype(np.float64), median.astype(np.float64)
    errors, sizes = np.abs(actual - median), np.abs(actual) + np.abs(median)
    ratios = np.divide(errors, sizes, out=np.where(np.isnan(errors), np.nan, 0.0), where=sizes > 0)
    return {
        "mase": _mean(_row_means(errors) / scales),
        "smape": _mean(200 * _row_means(ratios)),
        "mae": _mean(_row_means(errors)),
    }


def quantile_figures(
    actual: np.ndarray, quantiles: np.ndarray, levels: Sequence[float], scales: np.ndarray
) -> dict[str, float]:
    """The errors of quantiles.

    Args:
        actual: Values, (forecasts, horizon), NaN where they are missing.
        quantiles: (forecasts, horizon, levels).
        levels: Levels of the quantiles.
        scales: What MASE divides by, (forecasts,).

    Returns:
        `wql`, the weighted quantile loss: twice the quantile loss of all values, as a share of their absolute sum, mean
        over levels; `crps`, the same loss in units of the scale; `coverage_50` and so on, the share of values
        within an interval, where the levels have its ends.
    """
    errors = actual.astype(np.float64)[..., None] - quantiles
    at = np.asarray(levels)
    losses = 2 * np.maximum(at * errors, (at - 1) * errors).mean(axis=-1)
    present = np.isfinite(actual)
    figures = {
        "wql": float(losses[present].sum() / max(np.abs(actual[present]).sum(), 1e-12)),
        "crps": _mean(_row_means(losses) / scales),
    }
    for interval, (low, high) in interval_places(levels).items():
        inside = (actual >= quantiles[..., low]) & (actual <= quantiles[..., high])
        figures[f"coverage_{interval}"] = float(inside[present].mean())
    return figures


def interval_places(levels: Sequence[float]) -> Mapping[int, tuple[int, int]]:
    """Positions among the levels of the ends of the 50, 80, 90 and 95 per cent intervals, as far as they are there."""
    found = {}
    for interval in INTERVALS:
        low, high = (1 - interval / 100) / 2, (1 + interval / 100) / 2
        places = [np.flatnonzero(np.isclose(levels, end)) for end in (low, high)]
        if all(len(place) for place in places):
            found[interval] = (int(places[0][0]), int(places[1][0]))
    return found


def owa(figures: Mapping[str, float], reference: Mapping[str, float]) -> float:
    """The overall weighted average of the M4 competition: sMAPE and MASE relative to a reference, half and half.

    NaN where the reference makes no error, for example on series that repeat exactly.
    """
    shares = [figures[name] / reference[name] if reference[name] > _NO_ERROR else np.nan for name in ("smape", "mase")]
    return float(np.mean(shares))


def _row_means(values: np.ndarray) -> np.ndarray:
    """Means over the horizon of the values that are present; NaN if there are none."""
    present = np.isfinite(values)
    return np.where(present, values, 0.0).sum(axis=1) / np.where(present.any(axis=1), present.sum(axis=1), np.nan)


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
