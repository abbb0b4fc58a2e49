"""Forecasting: what its commands call. See `rnnapps.cli.task` for the contract."""

from __future__ import annotations

import numpy as np

from rnnapps.apps.forecasting.calendar import useful_cycles
from rnnapps.apps.forecasting.losses import DensityLoss, QuantileLoss
from rnnapps.apps.forecasting.model import Forecaster
from rnnapps.apps.forecasting.pictures import draw
from rnnapps.apps.forecasting.report import assess, table
from rnnapps.apps.forecasting.serving import about, endpoints, samples
from rnnapps.apps.forecasting.windows import Windows
from rnnapps.cli import Objective, RunConfig
from rnnapps.datasets import DataError, TimeSeries, summary
from rnnapps.datasets import load_splits as load
from rnnapps.options import as_json

Model = Forecaster
_LONGEST_SEGMENT = 168
_CONTEXT = 336  # steps, or 14 seasons where these are fewer


def make(config: RunConfig, train: TimeSeries) -> Forecaster:
    """A forecaster for the frequency, the season and the categories of the training series."""
    lengths = [one.end for one in train.series]
    if not lengths or max(lengths) <= train.horizon:
        raise DataError(f"{train.name}: no series is longer than the horizon, {train.horizon} steps")
    if config.model.head == "negative-binomial":
        _check_counts(train)
    season = train.season
    options = as_json(config.model)
    options["segment"] = segment = config.model.segment or (season if 1 < season <= _LONGEST_SEGMENT else 1)
    if config.model.context is None:
        wanted = max(min(14 * season, max(_CONTEXT, 2 * season)), 2 * train.horizon)
        # At least half of a series must be left to forecast, and the history must hold a season.
        context = min(wanted, max(season, (int(np.median(lengths)) - train.horizon) // 2))
        context = max(context, -(-season // segment) * segment)
    else:
        context = config.model.context
    options["context"] = max(1, round(context / segment)) * segment
    categories = [sorted({one.static[column] for one in train.series}) for column in range(len(train.static))]
    model = Forecaster(
        train.horizon,
        season,
        frequency="" if train.frequency is None else str(train.frequency),
        cycles=useful_cycles(train.frequency, max(lengths)),
        known=train.known,
        past=train.past,
        static=train.static,
        statistics=_statistics(train),
        categories=categories,
        **options,
    )
    model.build()
    return model


def batches(model: Forecaster, split: TimeSeries, config: RunConfig, seed: int | None = None) -> Windows:
    """Windows drawn at random for training; one after the other for validation."""
    how = config.training
    if seed is None:
        return Windows(model, split, split.origins(), batch_size=how.batch_size)
    return Windows(model, split, None, batch_size=how.batch_size, count=how.windows_per_epoch, seed=seed)


def objective(model: Forecaster, validation: TimeSeries, config: RunConfig) -> Objective:
    """The quantile loss, or the log density of the other heads."""
    head = model.options.head
    return Objective(
        QuantileLoss(model.options.levels) if head == "quantiles" else DensityLoss(head), jit_compile=False
    )


def _statistics(train: TimeSeries) -> list[tuple[float, float]]:
    """Mean and standard deviation of each covariate in the training values; 1 for the deviation of a constant."""
    found = []
    for columns, names in (("known", train.known), ("past", train.past)):
        for number in range(len(names)):
            values = np.concatenate([getattr(one, columns)[: one.end, number] for one in train.series])
            values = values[np.isfinite(values)].astype(np.float64)
            mean, deviation = (values.mean(), values.std()) if len(values) else (0.0, 0.0)
            # Rounded, for a sum's last digits differ between processors, and a run may be resumed on another one.
            found.append((float(np.float32(mean)), float(np.float32(deviation if deviation > 1e-6 * abs(mean) else 1))))
    return found


def _check_counts(train: TimeSeries) -> None:
    """Refuses series whose values are not counts."""
    for one in train.series:
        values = one.values[np.isfinite(one.values)]
        wrong = values[(values < 0) | (values != np.round(values))]
        if len(wrong):
            raise DataError(f"{train.name}: --head negative-binomial needs counts, got {wrong[0]:g} in {one.id!r}")
