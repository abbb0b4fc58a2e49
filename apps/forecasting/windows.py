"""Windows of series: a history and what follows it; drawn at random for training, at given places for evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.forecasting.losses import series_weights
from rnnapps.apps.forecasting.model import Forecaster
from rnnapps.datasets import TimeSeries


class Windows:
    """Batches of `(inputs, future, weight)`; see `rnnapps.apps.forecasting.model.Forecaster` for the inputs.

    Args:
        model: Determines how long windows are and what they contain.
        split: The series.
        origins: The windows: a series and the number of its values that are known. None: drawn again in each epoch, all
            series equally often, from the values before the end of the split.
        batch_size: Windows in a batch.
        count: How many windows to draw.
        seed: Seed of the draws.

    Attributes:
        steps: Number of batches.
    """

    def __init__(
        self,
        model: Forecaster,
        split: TimeSeries,
        origins: Sequence[tuple[int, int]] | None,
        *,
        batch_size: int,
        count: int = 0,
        seed: int = 0,
    ):
        self._origins = None if origins is None else np.array(origins, np.int64).reshape(-1, 2)
        self._count, self._seed, self._batch_size = count, seed, batch_size
        self.steps = math.ceil((count if self._origins is None else len(self._origins)) / batch_size)
        self._context, self._horizon = model.context, model.horizon
        self._teach = model.options.head != "quantiles"
        self._last = np.array([one.end - model.horizon for one in split.series])
        weights = series_weights(split) if model.options.head == "quantiles" else np.ones(len(split), np.float32)
        self._weights = tf.constant(weights)
        lengths = np.array([len(one) for one in split.series]) + self._context + self._horizon
        self._begins = tf.constant(np.cumsum(lengths) - lengths)
        self._flat = {name: tf.constant(values) for name, values in _flat(model, split).items()}
        self._static = tf.constant(_static(model, split), tf.int32)

    def epoch(self, n: int) -> tf.data.Dataset:
        """Returns the batches of epoch `n`."""
        origins = self._drawn(n) if self._origins is None else self._origins
        return tf.data.Dataset.from_tensor_slices(origins).batch(self._batch_size).map(self._window)

    def _drawn(self, n: int) -> np.ndarray:
        """Series and origins, int64 `(count, 2)`; a history has at least a tenth of the context if possible."""
        random = np.random.default_rng([self._seed, n])
        series = random.integers(len(self._last), size=self._count)
        last = self._last[series]
        first = np.minimum(np.maximum(1, self._context // 10), last)
        return np.stack([series, random.integers(first, last + 1)], axis=1)

    def _window(self, origins: tf.Tensor) -> tuple[Any, tf.Tensor, tf.Tensor]:
        series, origin = origins[:, 0], origins[:, 1]
        first = tf.gather(self._begins, series) + origin  # each series is preceded by an empty context
        whole = first[:, None] + tf.range(self._context + self._horizon, dtype=tf.int64)
        values = tf.gather(self._flat["values"], whole)
        values = tf.ensure_shape(values, (None, self._context + self._horizon))
        future = values[:, self._context :]
        inputs = {"history": values[:, : self._context]}
        for name in ("cycles", "known"):
            if name in self._flat:
                inputs[name] = tf.gather(self._flat[name], whole)
        if "past" in self._flat:
            inputs["past"] = tf.gather(self._flat["past"], whole[:, : self._context])
        if self._static.shape[1]:
            inputs["static"] = tf.gather(self._static, series)
        if self._teach:
            inputs["future"] = future
        return inputs, future, tf.gather(self._weights, series)


def _flat(model: Forecaster, split: TimeSeries) -> dict[str, np.ndarray]:
    """The series one after the other, each with an empty context before it and a horizon after it."""
    before, behind = model.context, model.horizon

    def joined(parts: list[np.ndarray]) -> np.ndarray:
        padded = []
        for one, part in zip(split.series, parts, strict=True):
            length = len(one) + before + behind
            whole = np.full((length, *part.shape[1:]), np.nan, np.float32)
            end = min(length, before + len(part))
            whole[before:end] = part[: end - before]
            padded.append(whole)
        return np.concatenate(padded)

    flat = {"values": joined([one.values for one in split.series])}
    if model.known:
        flat["known"] = joined([one.known for one in split.series])
    if model.past:
        flat["past"] = joined([one.past for one in split.series])
    if model.cycles:
        flat["cycles"] = np.concatenate(
            [
                model.cycle_features(tf.constant([str(one.start)]), -before, len(one) + before + behind)[0].numpy()
                for one in split.series
            ]
        )
    return flat


def _static(model: Forecaster, split: TimeSeries) -> np.ndarray:
    """Numbers of the categories, int32 `(series, columns)`; 0 for one that the model does not know."""
    numbers = [{name: number for number, name in enumerate(names, 1)} for names in model.categories]
    found = [[known.get(name, 0) for known, name in zip(numbers, one.static, strict=False)] for one in split.series]
    return np.array(found, np.int32).reshape(len(split), len(model.categories))
