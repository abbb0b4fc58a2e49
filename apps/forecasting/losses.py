"""What training minimises: the quantile loss, scaled so that all series count equally, or the negative log density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnapps.apps.forecasting.heads import log_density
from rnnapps.datasets.time_series import TimeSeries, seasonal_error


@keras.saving.register_keras_serializable("rnnapps")
class QuantileLoss(keras.losses.Loss):
    """Twice the mean quantile loss of all networks, an estimate of the CRPS; missing values do not count."""

    def __init__(self, levels: Sequence[float]):
        super().__init__(name="quantile_loss")
        self.levels = tuple(levels)

    def get_config(self) -> dict[str, Any]:
        return {"levels": list(self.levels)}

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """From values `(batch, horizon)` and quantiles `(batch, networks, horizon, levels)` to `(batch,)`."""
        levels = tf.constant(self.levels, tf.float32)
        present = tf.math.is_finite(y_true)
        errors = tf.where(present, y_true, 0.0)[:, None, :, None] - y_pred
        losses = 2 * tf.reduce_mean(tf.maximum(levels * errors, (levels - 1) * errors), axis=(1, 3))
        return _mean_of(losses, present)


@keras.saving.register_keras_serializable("rnnapps")
class DensityLoss(keras.losses.Loss):
    """Mean negative log density, in the units in which the network forecasts; missing values do not count."""

    def __init__(self, head: str):
        super().__init__(name="density_loss")
        self.head = head

    def get_config(self) -> dict[str, Any]:
        return {"head": self.head}

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """From values `(batch, horizon)` and parameters `(batch, networks, horizon, parameters)` to `(batch,)`."""
        present = tf.math.is_finite(y_true)
        value = (tf.where(present, y_true, 0.0)[:, None] - y_pred[..., -2]) / y_pred[..., -1]
        losses = -log_density(self.head, y_pred[..., :-2], value)
        return _mean_of(tf.reduce_mean(losses, axis=1), present)


def _mean_of(losses: tf.Tensor, present: tf.Tensor) -> tf.Tensor:
    count = tf.reduce_sum(tf.cast(present, tf.float32), axis=1)
    return tf.reduce_sum(tf.where(present, losses, 0.0), axis=1) / tf.maximum(count, 1.0)


def series_weights(split: TimeSeries) -> np.ndarray:
    """How much an error of one unit counts in each series, float32 `(series,)`.

    Half of it is the error relative to the seasonal error, as in MASE, and half relative to the level, as in sMAPE,
    each divided by the error of the seasonal naive forecast, as in OWA.
    """
    train = [one.values[: one.end] for one in split.series]
    errors = np.array([seasonal_error(values, split.season) for values in train])
    levels = np.array([np.nanmean(np.abs(values)) if np.isfinite(values).any() else 1.0 for values in train])
    levels = np.maximum(levels, errors / 2)  # the changes of a series are at most twice its values
    return (0.5 / errors + 0.5 / levels / np.mean(errors / levels)).astype(np.float32)
