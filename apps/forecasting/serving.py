"""The signature of an exported forecaster: histories of any length in; quantiles and means of the horizon out."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.forecasting.model import Forecaster
from rnnapps.assertions import asserted
from rnnapps.datasets import TimeSeries

_CHUNK = 256  # series at a time
_SAMPLES = 20  # series of the test split in an export


def endpoints(model: Forecaster, decoding: object = None) -> dict[str, serving.Endpoint]:
    """The signatures of an export: `serving_default`.

    Its inputs are `history`, float32 (batch, time), with NaN for missing values; for series with times
    `start`, string (batch,), the time of the first value; and where the model has covariates and categories `known`,
    float32 (batch, time + horizon, columns), `past`, float32 (batch, time, columns), and `static`, string
    (batch, columns). Its outputs are `quantiles`, float32 (batch, horizon, levels), `levels`, float32 (batch, levels),
    and `mean`, float32 (batch, horizon).
    """
    specs = _specs(model)
    names = [spec.name for spec in specs]
    steps = model.context + model.horizon

    def answer(*prepared: tf.Tensor) -> dict[str, tf.Tensor]:
        inputs = dict(zip(_prepared_names(model), prepared, strict=True))
        found = model.forecast(inputs)
        levels = tf.tile(tf.constant([model.options.levels]), (tf.shape(inputs["history"])[0], 1))
        return {**found, "levels": levels}

    # Chunks have static shapes, so histories are cut to the context first.
    chunked = serving.in_chunks(answer, _CHUNK)

    def signature(*given: tf.Tensor) -> dict[str, tf.Tensor]:
        asked = dict(zip(names, given, strict=True))
        return chunked(*_prepared(model, asked, steps))

    return {"serving_default": serving.Endpoint(signature, specs)}


def _specs(model: Forecaster) -> list[tf.TensorSpec]:
    specs = [tf.TensorSpec([None, None], tf.float32, name="history")]
    if model.frequency:
        specs.append(tf.TensorSpec([None], tf.string, name="start"))
    if model.known:
        specs.append(tf.TensorSpec([None, None, len(model.known)], tf.float32, name="known"))
    if model.past:
        specs.append(tf.TensorSpec([None, None, len(model.past)], tf.float32, name="past"))
    if model.categories:
        specs.append(tf.TensorSpec([None, len(model.categories)], tf.string, name="static"))
    return specs


def _prepared_names(model: Forecaster) -> list[str]:
    return [name for name in model.example() if name != "future"]


def _prepared(model: Forecaster, asked: dict[str, tf.Tensor], steps: int) -> list[tf.Tensor]:
    """The inputs of the model from those of the signature: the last `context` steps, padded at the beginning."""
    history = asked["history"]
    time = tf.shape(history)[1]
    enough = tf.reduce_all(tf.reduce_any(tf.math.is_finite(history), axis=1))
    (history,) = asserted([history], enough, "a history must have at least one value")
    inputs = {"history": _last(history, model.context)}
    if model.cycles:
        inputs["cycles"] = model.cycle_features(asked["start"], time - model.context, steps)
    if model.known:
        (known,) = asserted(
            [asked["known"]],
            tf.equal(tf.shape(asked["known"])[1], time + model.horizon),
            f"known must have {model.horizon} more steps than history, got",
            tf.shape(asked["known"])[1],
        )
        inputs["known"] = _last(known, steps)
    if model.past:
        (past,) = asserted(
            [asked["past"]], tf.equal(tf.shape(asked["past"])[1], time), "past must have as many steps as history"
        )
        inputs["past"] = _last(past, model.context)
    if model.categories:
        columns = [_numbers(names, asked["static"][:, column]) for column, names in enumerate(model.categories)]
        inputs["static"] = tf.stack(columns, axis=1)
    return [inputs[name] for name in _prepared_names(model)]


def _last(sequence: tf.Tensor, steps: int) -> tf.Tensor:
    """The last steps of `(batch, time, ...)`, with NaN before shorter sequences."""
    sequence = sequence[:, -steps:]
    rank = len(sequence.shape)
    before = [[0, 0], [steps - tf.shape(sequence)[1], 0], *([[0, 0]] * (rank - 2))]
    padded = tf.pad(sequence, before, constant_values=float("nan"))
    return tf.ensure_shape(padded, [None, steps, *sequence.shape[2:]])


def _numbers(names: tuple[str, ...], texts: tf.Tensor) -> tf.Tensor:
    """Numbers of categories, counted from 1, int32 `(batch,)`; 0 for an unknown one."""
    same = tf.equal(texts[:, None], tf.constant(names, tf.string))
    return tf.reduce_sum(tf.cast(same, tf.int32) * tf.range(1, len(names) + 1), axis=1)


def samples(model: Forecaster, split: TimeSeries | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export: the ends of series, holes, and histories of other lengths.

    Histories of a request have the same length, so each length needs its own request.
    """
    random = np.random.default_rng(0)
    histories = [random.normal(size=(3, length)).astype(np.float32).cumsum(axis=1) for length in (1, 2, model.context)]
    histories.append(np.where(random.random((2, 2 * model.context)) < 0.3, np.nan, 5.0).astype(np.float32))
    histories[-1][:, 0] = 7.0
    for one in () if split is None else split.series[:_SAMPLES]:
        values = one.values[: one.begin][-model.context :]
        if np.isfinite(values).any():
            histories.append(values[None])
    return {"serving_default": [_request(model, history) for history in histories]}


def _request(model: Forecaster, history: np.ndarray) -> dict[str, Any]:
    batch, time = history.shape
    request: dict[str, Any] = {"history": history}
    if model.frequency:
        request["start"] = ["2024-02-29T18:00:00"] * batch
    if model.known:
        request["known"] = np.zeros((batch, time + model.horizon, len(model.known)), np.float32)
    if model.past:
        request["past"] = np.zeros((batch, time, len(model.past)), np.float32)
    if model.categories:
        request["static"] = [[names[0] if names else "" for names in model.categories]] * batch
    return request


def about(model: Forecaster) -> dict[str, Any]:
    """What an export says about the model: horizon, season, frequency, levels, and its inputs besides the values."""
    return {
        "horizon": model.horizon,
        "season": model.season,
        "context": model.context,
        "frequency": model.frequency,
        "levels": list(model.options.levels),
        "known": list(model.known),
        "past": list(model.past),
        "static": list(model.static),
    }
