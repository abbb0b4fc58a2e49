"""The level and scale of each window, and the values of a season before: they let one network fit all series.

Values are standardised by the mean and the standard deviation of the window: dividing by a mean absolute value, as
DeepAR does, would leave a series far from zero with little variation almost constant. The outputs of the network are in
units of the window's seasonal error, the mean absolute change from season to season, since that is the size of what is
to be forecast. They are added to the seasonal naive forecast.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

_SMALLEST_SPREAD = 1e-3  # of the level: below it a series counts as constant
_SMALLEST_ERROR = 1e-3  # of the spread


class Scaled(NamedTuple):
    """A batch of windows, each in its own units.

    Attributes:
        values: Float32 `(batch, time)`; missing values are those of a season before, or else 0, the mean.
        seen: Float32 `(batch, time)`: 1 where there is a value, 0 where it is missing.
        changes: Float32 `(batch, time)`: changes from a season before in units of the seasonal error, within ±10.
        level: Float32 `(batch, 1)`: the mean.
        spread: Float32 `(batch, 1)`: the standard deviation.
        error: Float32 `(batch, 1)`: the seasonal error in units of the spread.
    """

    values: tf.Tensor
    seen: tf.Tensor
    changes: tf.Tensor
    level: tf.Tensor
    spread: tf.Tensor
    error: tf.Tensor


def scaled(history: tf.Tensor, season: int) -> Scaled:
    """Scales windows, float32 `(batch, time)` with NaN for missing values."""
    present = tf.math.is_finite(history)
    seen = tf.cast(present, tf.float32)
    count = tf.maximum(tf.reduce_sum(seen, axis=1, keepdims=True), 1.0)
    # Two passes: with a large level and little variation, subtracting the square of the mean would leave nothing.
    level = tf.reduce_sum(tf.where(present, history, 0.0) / count, axis=1, keepdims=True)
    deviations = tf.where(present, history - level, 0.0)
    spread = tf.sqrt(tf.reduce_sum(tf.square(deviations), axis=1, keepdims=True) / count)
    spread = tf.maximum(spread, _SMALLEST_SPREAD * tf.abs(level))
    spread = tf.where(spread > 1e-30, spread, 1.0)
    values = deviations / spread
    changes, both = values[:, season:] - values[:, :-season], seen[:, season:] * seen[:, :-season]
    error = tf.reduce_sum(tf.abs(changes) * both, axis=1, keepdims=True)
    pairs = tf.reduce_sum(both, axis=1, keepdims=True)
    error = tf.where(pairs > 0, tf.maximum(error / tf.maximum(pairs, 1.0), _SMALLEST_ERROR), 1.0)
    changes = tf.clip_by_value(changes * both / error, -10.0, 10.0)
    changes = tf.pad(changes, [[0, 0], [season, 0]])[:, : history.shape[1]]
    return Scaled(filled(values, seen, season), seen, changes, level, spread, error)


def filled(values: tf.Tensor, seen: tf.Tensor, season: int) -> tf.Tensor:
    """Fills a missing value with the last one at the same place in the season; it stays missing if there is none."""
    time = values.shape[1]
    missing = -time % season
    seasons = (time + missing) // season
    padded = tf.reshape(tf.pad(values, [[0, 0], [missing, 0]]), (-1, seasons, season))
    known = tf.reshape(tf.pad(seen, [[0, 0], [missing, 0]]), (-1, seasons, season)) > 0
    numbers = tf.where(known, tf.range(seasons)[:, None], -1)
    last = tf.stack([tf.reduce_max(numbers[:, : index + 1], axis=1) for index in range(seasons)], axis=1)
    chosen = tf.gather(tf.transpose(padded, (0, 2, 1)), tf.transpose(tf.maximum(last, 0), (0, 2, 1)), batch_dims=2)
    chosen = tf.where(tf.transpose(last, (0, 2, 1)) >= 0, chosen, 0.0)
    return tf.reshape(tf.transpose(chosen, (0, 2, 1)), (-1, seasons * season))[:, missing:]


def seasonal_naive(values: tf.Tensor, season: int, horizon: int) -> tf.Tensor:
    """The last season, repeated: `(batch, time)` -> `(batch, horizon)`."""
    repeats = -(-horizon // season)
    return tf.tile(values[:, -season:], (1, repeats))[:, :horizon]
