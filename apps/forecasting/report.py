"""How good a forecaster is: its figures and those of other methods, a table of them, and pictures."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.forecasting import peers
from rnnapps.apps.forecasting.cli import Backtest
from rnnapps.apps.forecasting.metrics import (
    INTERVALS,
    actual_values,
    mase_scales,
    owa,
    point_figures,
    quantile_figures,
)
from rnnapps.apps.forecasting.model import Forecaster
from rnnapps.apps.forecasting.pictures import draw_calibration, draw_errors, draw_forecasts, draw_worst
from rnnapps.apps.forecasting.requests import check_steps
from rnnapps.apps.forecasting.windows import Windows
from rnnapps.datasets import DataError, TimeSeries

_COLUMNS = {"mase": "MASE", "smape": "sMAPE", "owa": "OWA", "wql": "WQL", "crps": "CRPS"}


def forecasts(model: Forecaster, split: TimeSeries, origins: Sequence[tuple[int, int]], batch_size: int) -> np.ndarray:
    """Quantiles at each origin, float32 (forecasts, horizon, levels)."""
    answer = tf.function(lambda inputs: model.forecast(inputs)["quantiles"], reduce_retracing=True, autograph=False)
    batches = Windows(model, split, origins, batch_size=batch_size).epoch(0)
    return np.concatenate([answer(inputs).numpy() for inputs, *_ in batches])


def assess(
    model: Forecaster,
    split: TimeSeries,
    batch_size: int,
    decoding: Backtest | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Forecasts from successive origins, one horizon apart, and compares with the actual values.

    Args:
        model: The forecaster.
        split: The series.
        batch_size: Windows at a time.
        decoding: How many forecasts of each series, and whether to fit statistical models as well.
        report: Folder for the pictures; None draws nothing.

    Returns:
        The figures of `rnnapps.apps.forecasting.metrics`, `owa`, `forecasts`, `series`, and `peers`: the same figures
        for the other methods, by name.

    Raises:
        DataError: The series do not fit the model.
    """
    decoding = decoding or Backtest()
    check_fit(model, split)
    origins = split.origins(decoding.forecasts)
    actual, scales = actual_values(split, origins), mase_scales(split, origins)
    levels = model.options.levels
    began = time.perf_counter()
    quantiles = forecasts(model, split, origins, batch_size)
    seconds = time.perf_counter() - began
    reference = point_figures(actual, peers.naive2(split, origins), scales)

    def figures(answer: np.ndarray) -> dict[str, float]:
        point = point_figures(actual, answer[..., levels.index(0.5)], scales)
        return {**point, "owa": owa(point, reference), **quantile_figures(actual, answer, levels, scales)}

    others = {"seasonal naive": peers.seasonal_naive(split, origins, levels)}
    if decoding.peers:
        others |= peers.statistical(split, origins, levels)
    if report is not None:
        draw_forecasts(split, origins, quantiles, levels, report / "forecasts.png")
        draw_worst(split, origins, quantiles, levels, scales, report / "worst_series.png")
        named = {"this model": quantiles, **{name: other.quantiles for name, other in others.items()}}
        draw_errors(actual, named, levels, scales, report / "error_by_horizon.png")
        draw_calibration(actual, named, levels, report / "calibration.png")
    return {
        **figures(quantiles),
        "forecasts": len(origins),
        "series": len(split),
        "seconds": seconds,
        "peers": {name: {**figures(other.quantiles), "seconds": other.seconds} for name, other in others.items()},
    }


def check_fit(model: Forecaster, split: TimeSeries) -> None:
    """Refuses series that do not fit the model."""
    check_steps(split.name, model.frequency, "" if split.frequency is None else str(split.frequency))
    for name in ("known", "past", "static"):
        has, wanted = getattr(split, name), getattr(model, name)
        if has != wanted:
            raise DataError(f"{split.name}: the model takes --{name} {','.join(wanted) or 0}, got {','.join(has) or 0}")


def table(metrics: Mapping[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    rows = {"this model": metrics, **metrics["peers"]}
    covered = [interval for interval in INTERVALS if f"coverage_{interval}" in metrics]
    header = ["", *_COLUMNS.values(), *(f"in {interval} %" for interval in covered), "seconds"]
    cells = [header]
    for name, figures in rows.items():
        numbers = [_shown(figures[key], 5 if key == "wql" else 3) for key in _COLUMNS]
        shares = [f"{figures[f'coverage_{interval}']:.1%}" for interval in covered]
        cells.append([name, *numbers, *shares, f"{figures['seconds']:.1f}"])
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    lines = [
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        )
        for row in cells
    ]
    return "\n".join([*lines, f"{metrics['forecasts']:,} forecasts of {metrics['series']:,} series"])


def _shown(figure: float, digits: int) -> str:
    return f"{figure:.{digits}f}" if np.isfinite(figure) else "-"
