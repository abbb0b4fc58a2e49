"""The forecaster: one network for all series, with scaling, calendar and categories inside the model."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.forecasting.autoregressive import AutoregressiveNetwork
from rnnapps.apps.forecasting.calendar import cycle_features
from rnnapps.apps.forecasting.cli import Options
from rnnapps.apps.forecasting.network import DirectNetwork
from rnnapps.apps.forecasting.scaling import scaled
from rnnapps.datasets.frequency import parsed
from rnnapps.options import as_json, from_keywords

Inputs = Mapping[str, tf.Tensor]


@keras.saving.register_keras_serializable("rnnapps")
class Forecaster(keras.Model):
    """Forecasts quantiles of the next steps of a series from its last ones.

    Args:
        horizon: Steps to forecast.
        season: Steps in a season.
        context: Steps of the history that are read; with quantiles a multiple of `segment`.
        segment: Steps in a segment.
        frequency: The step, such as "3600 seconds"; "" for series without times.
        cycles: Which places in the calendar are inputs; some of `rnnapps.apps.forecasting.calendar.CYCLES`.
        known, past, static: Names of the other columns: covariates known in advance, covariates that are not,
            and categories of a series.
        statistics: Mean and standard deviation of each known, then of each past covariate, in the units of the data;
            () for covariates that are read as they are.
        categories: The categories of each static column.
        name, trainable, dtype: As for every Keras model.
        **options: See `rnnapps.apps.forecasting.cli.Options`.

    Call arguments:
        inputs: A dictionary of `history`, float32 `(batch, context)` with NaN for missing values; where the
            model has them, `cycles`, float32 `(batch, context + horizon, 2 * cycles)`, `known`, float32
            `(batch, context + horizon, known)`, `past`, float32 `(batch, context, past)`, and `static`, int32
            `(batch, columns)`, 0 for an unknown category; for a head other than quantiles also `future`, float32
            `(batch, horizon)`, the values that follow, of which each step reads those before it.

    Output:
        With quantiles, float32 `(batch, networks, horizon, levels)`. With another head, float32
        `(batch, networks, horizon, parameters)`. Use `forecast` for forecasts.

    References:
        See `rnnapps.apps.forecasting.network` and `rnnapps.apps.forecasting.autoregressive`.
    """

    def __init__(
        self,
        horizon: int,
        season: int,
        context: int,
        segment: int,
        *,
        frequency: str = "",
        cycles: Sequence[str] = (),
        known: Sequence[str] = (),
        past: Sequence[str] = (),
        static: Sequence[str] = (),
        statistics: Sequence[tuple[float, float]] = (),
        categories: Sequence[Sequence[str]] = (),
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        **options: Any,
    ):
        super().__init__(name=name, trainable=trainable, dtype=dtype)
        self.horizon, self.season, self.context, self.segment = horizon, season, context, segment
        self.frequency, self.cycles = frequency, tuple(cycles)
        self.known, self.past, self.static = tuple(known), tuple(past), tuple(static)
        self.statistics = tuple((mean, deviation) for mean, deviation in statistics)
        self.categories = tuple(tuple(names) for names in categories)
        self.options = from_keywords(Options, {**options, "context": context, "segment": segment}, type(self).__name__)
        self.embeddings = [
            keras.layers.Embedding(1 + len(names), min(16, 1 + len(names)), name=f"category_{number}")
            for number, names in enumerate(self.categories)
        ]
        self.networks = [self._network(number) for number in range(self.options.ensemble)]

    def _network(self, number: int) -> DirectNetwork | AutoregressiveNetwork:
        options = self.options
        recurrent = {
            **options.layer_arguments(),
            "layers": options.layers,
            "hidden": options.hidden,
            "name": f"network_{number}",
        }
        if options.head == "quantiles":
            return DirectNetwork(self.horizon, self.season, self.segment, options.levels, **recurrent)
        return AutoregressiveNetwork(self.horizon, self.season, options.head, **recurrent)

    def build(self, input_shape: Any = None) -> None:
        self.call(self.example())
        self.built = True

    def example(self) -> Inputs:
        """One window of zeros."""
        whole = self.context + self.horizon
        inputs = {"history": tf.zeros((1, self.context))}
        if self.cycles:
            inputs["cycles"] = tf.zeros((1, whole, 2 * len(self.cycles)))
        if self.known:
            inputs["known"] = tf.zeros((1, whole, len(self.known)))
        if self.past:
            inputs["past"] = tf.zeros((1, self.context, len(self.past)))
        if self.categories:
            inputs["static"] = tf.zeros((1, len(self.categories)), tf.int32)
        if self.options.head != "quantiles":
            inputs["future"] = tf.zeros((1, self.horizon))
        return inputs

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        window = scaled(inputs["history"], self.season)
        beside = self._beside(inputs)
        if self.options.head != "quantiles":
            return tf.stack(
                [network(window, inputs["future"], *beside, training=training) for network in self.networks], axis=1
            )
        answers = tf.stack([network(window, *beside, training=training) for network in self.networks], axis=1)
        return answers * window.spread[:, None, None] + window.level[:, None, None]

    def forecast(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        """Forecasts.

        Args:
            inputs: As for `call`, without `future`.

        Returns:
            `quantiles`, float32 `(batch, horizon, levels)`, and `mean`, float32 `(batch, horizon)`.
        """
        if self.options.head == "quantiles":
            quantiles = tf.reduce_mean(self.call(inputs), axis=1)
            return {"quantiles": quantiles, "mean": tf.linalg.matvec(quantiles, self._shares())}
        window, beside = scaled(inputs["history"], self.season), self._beside(inputs)
        paths = [
            network.sample(window, *beside, paths=-(-self.options.paths // len(self.networks)), seed=number)
            for number, network in enumerate(self.networks)
        ]
        drawn = tf.sort(tf.concat(paths, axis=-1), axis=-1)
        return {"quantiles": _quantiles(drawn, self.options.levels), "mean": tf.reduce_mean(drawn, axis=-1)}

    def _beside(self, inputs: Inputs) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """What is known in advance, what is not, and what does not change; missing covariates count as their mean."""
        batch, whole = tf.shape(inputs["history"])[0], self.context + self.horizon
        ahead = [inputs["cycles"]] if self.cycles else []
        if self.known:
            ahead.append(_standardised(inputs["known"], self.statistics[: len(self.known)]))
        features = tf.concat(ahead, axis=-1) if ahead else tf.zeros((batch, whole, 0))
        past = tf.zeros((batch, self.context, 0))
        if self.past:
            past = _standardised(inputs["past"], self.statistics[len(self.known) :])
        static = [embedding(inputs["static"][:, column]) for column, embedding in enumerate(self.embeddings)]
        return features, past, tf.concat(static, axis=-1) if static else tf.zeros((batch, 0))

    def _shares(self) -> list[float]:
        """How much each quantile counts in the mean: half of the distance between its neighbours' levels."""
        levels = self.options.levels
        borders = [0.0, *((low + high) / 2 for low, high in itertools.pairwise(levels)), 1.0]
        return [high - low for low, high in itertools.pairwise(borders)]

    def cycle_features(self, start: tf.Tensor, first: int | tf.Tensor, steps: int) -> tf.Tensor:
        """The input `cycles` of windows that begin at step `first` after the times `start`, string `(batch,)`."""
        return cycle_features(start, first, steps, parsed(self.frequency), self.cycles)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "horizon": self.horizon,
            "season": self.season,
            "frequency": self.frequency,
            "cycles": list(self.cycles),
            "known": list(self.known),
            "past": list(self.past),
            "static": list(self.static),
            "statistics": [list(pair) for pair in self.statistics],
            "categories": [list(names) for names in self.categories],
            **as_json(self.options),
        }


def _standardised(covariates: tf.Tensor, statistics: Sequence[tuple[float, float]]) -> tf.Tensor:
    """Covariates in standard deviations from their mean, at most 10, or as they are; 0 where they are missing."""
    if statistics:
        mean, deviation = tf.unstack(tf.constant(statistics), axis=1)
        covariates = (covariates - mean) / deviation
    covariates = tf.where(tf.math.is_finite(covariates), covariates, 0.0)
    return tf.clip_by_value(covariates, -10.0, 10.0) if statistics else covariates


def _quantiles(ordered: tf.Tensor, levels: Sequence[float]) -> tf.Tensor:
    """Quantiles of samples sorted along the last axis, float32 `(..., levels)`.

    Between two samples they are interpolated as definition 8 of Hyndman and Fan, "Sample Quantiles in Statistical
    Packages", The American Statistician 50 (1996), nearly median-unbiased. Bands of evenly spread paths have about
    their nominal width.
    """
    count = ordered.shape[-1]
    places = [min(max(level * (count + 1 / 3) - 2 / 3, 0.0), count - 1.0) for level in levels]
    below = tf.gather(ordered, [int(place) for place in places], axis=-1)
    above = tf.gather(ordered, [min(int(place) + 1, count - 1) for place in places], axis=-1)
    return below + tf.constant([place - int(place) for place in places]) * (above - below)
