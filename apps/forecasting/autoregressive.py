"""The autoregressive network: the distribution of the next value given all earlier ones; paths sampled step by step.

It forecasts in units that make series comparable: the difference from the value a season before, divided by the
seasonal error of the window; or counts, whose mean is a multiple of the window's mean.

Reference: Salinas et al., "DeepAR: Probabilistic Forecasting with Autoregressive Recurrent Networks", International
Journal of Forecasting 36 (2020).
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

from rnnapps.apps.forecasting.heads import PARAMETERS, draw, parameters
from rnnapps.apps.forecasting.scaling import Scaled, filled
from rnnapps.layers import Stacked, recurrent_layer


class AutoregressiveNetwork(keras.layers.Layer):
    """The parameters of the distribution of each value of the horizon, given the values before it.

    Args:
        horizon: Steps to forecast.
        season: Steps in a season.
        head: One of `rnnapps.apps.forecasting.heads.PARAMETERS`.
        layers, hidden: Number of recurrent layers, and width of the layer before the output.
        **recurrent: Arguments of `rnnapps.layers.recurrent_layer`.

    Call arguments:
        scaled: The history.
        future: Float32 `(batch, horizon)`: the values to forecast, NaN where they are missing.
        features: Float32 `(batch, history + horizon, features)`: what is known in advance.
        past: Not used: what is not known in advance cannot be read while the future is sampled.
        static: Float32 `(batch, features)`: what does not change.

    Output:
        Float32 `(batch, horizon, parameters + 2)`: the parameters, and the offset and the unit of the value that they
        describe.
    """

    def __init__(
        self,
        horizon: int,
        season: int,
        head: str,
        *,
        layers: int,
        hidden: int,
        dropout: float,
        name: str | None = None,
        **recurrent: Any,
    ):
        super().__init__(name=name)
        self.horizon, self.season, self.head = horizon, season, head
        stack = [recurrent_layer(**recurrent, return_sequences=True, return_state=True) for _ in range(layers)]
        self.recurrent = Stacked(stack, residual=True, dropout=dropout)
        self.dropout = keras.layers.Dropout(dropout)
        self.hidden = keras.layers.Dense(hidden, activation="silu", name="hidden")
        self.output_layer = keras.layers.Dense(PARAMETERS[head], name="parameters")

    def call(
        self,
        scaled: Scaled,
        future: tf.Tensor,
        features: tf.Tensor,
        past: tf.Tensor,
        static: tf.Tensor,
        training: bool = False,
    ) -> tf.Tensor:
        time = scaled.values.shape[1]
        present = tf.math.is_finite(future)
        ahead = tf.where(present, (future - scaled.level) / scaled.spread, 0.0)
        seen = tf.concat([scaled.seen, tf.cast(present, tf.float32)], axis=1)
        values = filled(tf.concat([scaled.values, ahead], axis=1), seen, self.season)
        before = _a_season_before(values, self.season)
        read = self._steps(scaled, values[:, :-1], before[:, 1:], seen[:, :-1], features[:, 1:], static)
        outputs, *_ = self.recurrent(read, training=training)
        return self._parameters(scaled, outputs[:, time - 1 :], before[:, time:], training)

    def sample(
        self, scaled: Scaled, features: tf.Tensor, past: tf.Tensor, static: tf.Tensor, *, paths: int, seed: int
    ) -> tf.Tensor:
        """Paths of the future, float32 `(batch, horizon, paths)`, the same for the same history."""
        batch, time = tf.shape(scaled.values)[0], scaled.values.shape[1]
        before = _a_season_before(scaled.values, self.season)
        read = self._steps(
            scaled, scaled.values[:, :-1], before[:, 1:], scaled.seen[:, :-1], features[:, 1:time], static
        )
        _, *states = self.recurrent(read)
        uniform = _spread_evenly((self.horizon, 2, paths), seed)

        def repeated(tensor: tf.Tensor) -> tf.Tensor:
            return tf.repeat(tensor, paths, axis=0)

        window = Scaled(*map(repeated, scaled))
        beside, fixed = repeated(features[:, time:]), repeated(static)
        last = repeated(tf.pad(scaled.values, [[0, 0], [self.season, 0]])[:, -self.season :])  # of each path
        found = tf.TensorArray(tf.float32, self.horizon)

        def step(number: tf.Tensor, last: tf.Tensor, states: Any, found: tf.TensorArray) -> Any:
            old = last[:, :1]
            ahead = tf.gather(beside, [number], axis=1)
            seen = tf.where(number == 0, window.seen[:, -1:], tf.ones_like(old))
            read = self._steps(window, last[:, -1:], old, seen, ahead, fixed)
            output, *states = self.recurrent(read, initial_state=states)
            said = tf.reshape(self._parameters(window, output, old, False), (batch, paths, -1))
            drawn = draw(self.head, said[..., :-2], uniform[number]) * said[..., -1] + said[..., -2]
            value = (tf.reshape(drawn, (-1, 1)) - window.level) / window.spread
            return number + 1, tf.concat([last[:, 1:], value], axis=1), states, found.write(number, drawn)

        start = (0, last, [repeated(state) for state in states], found)
        *_, found = tf.while_loop(lambda number, *_: number < self.horizon, step, start)
        return tf.ensure_shape(tf.transpose(found.stack(), (1, 0, 2)), (None, self.horizon, paths))

    def _steps(
        self,
        scaled: Scaled,
        newest: tf.Tensor,
        before: tf.Tensor,
        seen: tf.Tensor,
        features: tf.Tensor,
        static: tf.Tensor,
    ) -> tf.Tensor:
        """The inputs of each step: the newest value, the one a season before the next, and the other known features."""
        size = [tf.math.asinh(scaled.level / scaled.spread), tf.math.log(scaled.error), static]
        steps = tf.shape(newest)[1]
        same = tf.tile(tf.concat(size, axis=-1)[:, None], (1, steps, 1))
        return tf.concat([tf.stack([newest, before, seen], axis=-1), features, same], axis=-1)

    def _parameters(self, scaled: Scaled, outputs: tf.Tensor, before: tf.Tensor, training: bool) -> tf.Tensor:
        raw = self.output_layer(self.hidden(self.dropout(outputs, training=training)))
        said = parameters(self.head, raw)
        ones = tf.ones_like(said[..., :1])
        level, spread = scaled.level[..., None], scaled.spread[..., None]
        if self.head == "negative-binomial":
            scale = tf.concat([tf.maximum(level, 0.01) * ones, ones], axis=-1)
            return tf.concat([said * scale, 0 * ones, ones], axis=-1)
        return tf.concat([said, before[..., None] * spread + level, scaled.error[..., None] * spread * ones], axis=-1)


def _spread_evenly(shape: tuple[int, int, int], seed: int) -> tf.Tensor:
    """Uniform numbers in (0, 1), float32, of which each of the `shape[-1]` equal parts of the interval gets one.

    Latin hypercube sampling: quantiles of as many paths vary less than with independent numbers. Reference: McKay,
    Beckman and Conover, "A Comparison of Three Methods for Selecting Values of Input Variables", Technometrics 21
    (1979).
    """
    part = tf.argsort(tf.random.stateless_uniform(shape, (seed, 1)), axis=-1)
    within = tf.random.stateless_uniform(shape, (seed, 0))
    return tf.clip_by_value((tf.cast(part, tf.float32) + within) / shape[-1], 1e-6, 1 - 1e-6)


def _a_season_before(values: tf.Tensor, season: int) -> tf.Tensor:
    """The value one season before each step, 0 where there is none."""
    return tf.pad(values, [[0, 0], [season, 0]])[:, : values.shape[1]]
