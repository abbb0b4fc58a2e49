"""The direct network: recurrent layers read the history segment by segment, and one layer forecasts every quantile.

A segment is a piece of a season or a whole one, such as the 24 hours of a day, so a fortnight of hours takes 14 steps
of the recurrent layers. Each segment of the horizon is forecast from the final state, its place in the horizon, what
is known of it in advance, and the values of its place in the season before.

References:
    Wen et al., "A Multi-Horizon Quantile Recurrent Forecaster", NIPS 2017 Time Series Workshop;
    Lin et al., "SegRNN: Segment Recurrent Neural Network for Long-Term Time Series Forecasting", arXiv:2308.11200.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.forecasting.scaling import Scaled, seasonal_naive
from rnnapps.layers import Stacked, recurrent_layer

_NARROW = 1.0  # taken off before softplus, so that the first bands are about as wide as the seasonal error


class DirectNetwork(keras.layers.Layer):
    """Quantiles of the whole horizon at once, which never cross.

    Args:
        horizon: Steps to forecast.
        season: Steps in a season.
        segment: Steps in a segment.
        levels: Levels of the quantiles, ascending.
        layers, hidden: Number of recurrent layers, and width of the layer before the output.
        **recurrent: Arguments of `rnnapps.layers.recurrent_layer`.

    Call arguments:
        scaled: The history, a whole number of segments.
        features: Float32 `(batch, history + horizon, features)`: what is known in advance.
        past: Float32 `(batch, history, features)`: what is known no earlier than the value.
        static: Float32 `(batch, features)`: what does not change.

    Output:
        Float32 `(batch, horizon, levels)`, in units of the window's spread.
    """

    def __init__(
        self,
        horizon: int,
        season: int,
        segment: int,
        levels: Sequence[float],
        *,
        layers: int,
        hidden: int,
        dropout: float,
        name: str | None = None,
        **recurrent: Any,
    ):
        super().__init__(name=name)
        self.horizon, self.season, self.segment = horizon, season, segment
        self.segments = -(-horizon // segment)
        self.middle, self.count = list(levels).index(0.5), len(levels)
        stack = [recurrent_layer(**recurrent, return_sequences=number < layers - 1) for number in range(layers)]
        self.recurrent = Stacked(stack, residual=True, dropout=dropout) if layers > 1 else stack[0]
        self.dropout = keras.layers.Dropout(dropout)
        self.hidden = keras.layers.Dense(hidden, activation="silu", name="hidden")
        self.output_layer = keras.layers.Dense(segment * self.count, name="quantiles")

    def call(
        self, scaled: Scaled, features: tf.Tensor, past: tf.Tensor, static: tf.Tensor, training: bool = False
    ) -> tf.Tensor:
        batch, time = tf.shape(scaled.values)[0], scaled.values.shape[1]
        history = tf.concat([scaled.values[..., None], scaled.changes[..., None], past, features[:, :time]], axis=-1)
        read = self._segments(history, time // self.segment)
        missing = 1.0 - tf.reshape(scaled.seen, (batch, time // self.segment, self.segment))
        # The number of missing values per segment is enough: they are filled with those of a season before.
        read = tf.concat([read, tf.reduce_mean(missing, axis=-1, keepdims=True)], axis=-1)
        state = self.recurrent(read, training=training)
        size = [tf.math.asinh(scaled.level / scaled.spread), tf.math.log(scaled.error)]
        state = self.dropout(tf.concat([state, *size, static], axis=-1), training=training)
        ahead = [seasonal_naive(scaled.values, self.season, self.segments * self.segment)[..., None]]
        if time >= 7 * self.season:  # for days of hours: the same days of the week before
            week = scaled.values[:, time - 7 * self.season :]
            ahead.append(seasonal_naive(week, 7 * self.season, self.segments * self.segment)[..., None])
        known = features[:, time:]
        known = tf.pad(known, [[0, 0], [0, self.segments * self.segment - self.horizon], [0, 0]])
        decoded = self._segments(tf.concat([*ahead, known], axis=-1), self.segments)
        places = tf.tile(tf.eye(self.segments)[None], (batch, 1, 1))
        decoded = tf.concat([tf.tile(state[:, None], (1, self.segments, 1)), places, decoded], axis=-1)
        raw = self.output_layer(self.hidden(decoded))
        raw = tf.reshape(raw, (batch, self.segments * self.segment, self.count))
        return ahead[0][:, : self.horizon] + scaled.error[..., None] * self._ascending(raw[:, : self.horizon])

    def _segments(self, sequence: tf.Tensor, count: int) -> tf.Tensor:
        """`(batch, time, features)` -> `(batch, segments, segment * features)`."""
        return tf.reshape(sequence, (-1, count, self.segment * sequence.shape[-1]))

    def _ascending(self, raw: tf.Tensor) -> tf.Tensor:
        """The median as it is, and the others by positive distances from it."""
        distances = tf.nn.softplus(raw[..., 1:] - _NARROW)
        median, below, above = raw[..., :1], distances[..., : self.middle], distances[..., self.middle :]
        below = tf.cumsum(below, axis=-1, reverse=True)
        return tf.concat([median - below, median, median + tf.cumsum(above, axis=-1)], axis=-1)
