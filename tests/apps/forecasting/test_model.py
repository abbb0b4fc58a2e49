"""The forecaster: scaling, missing values, quantiles that never cross, covariates, and the export's signature."""

import random

import keras
import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from rnnapps import training
from rnnapps.apps.forecasting import task
from rnnapps.apps.forecasting.autoregressive import _spread_evenly
from rnnapps.apps.forecasting.cli import TASK, Options
from rnnapps.apps.forecasting.model import Forecaster, _quantiles
from rnnapps.apps.forecasting.scaling import filled, scaled
from rnnapps.apps.forecasting.serving import endpoints
from rnnapps.apps.forecasting.windows import Windows
from rnnapps.cli import RunConfig
from rnnapps.cli.train import fit_model
from rnnapps.datasets import OneSeries, TimeSeries

HEADS = ("quantiles", "normal", "student", "negative-binomial")


def make(head="quantiles", **more):
    tf.random.set_seed(0)
    options = {"units": 8, "hidden": 8, "head": head, "paths": 40, **more}
    model = Forecaster(5, 4, 12, 4, frequency="3600 seconds", cycles=("day",), **options)
    model.build()
    return model


def answer(model, history, start="2024-02-28 20:00"):
    if not hasattr(model, "signature"):
        endpoint = endpoints(model)["serving_default"]
        model.signature = tf.function(endpoint.function, input_signature=endpoint.inputs, autograph=False)
    starts = tf.constant([start] * len(history), tf.string)
    return {name: value.numpy() for name, value in model.signature(tf.constant(history, tf.float32), starts).items()}


def histories(batch, time):
    values = np.random.default_rng(3).poisson(20, (batch, time)).astype(np.float32)
    values[:, 1::5] = np.nan
    return values


@pytest.mark.parametrize("head", HEADS)
def test_an_answer_depends_neither_on_its_batch_nor_on_what_lies_before_the_context(head):
    model = make(head, ensemble=2)
    every = answer(model, histories(33, 30))
    assert every["quantiles"].shape == (33, 5, 9) and every["mean"].shape == (33, 5)
    assert np.all(np.diff(every["quantiles"], axis=-1) >= 0)
    for batch in (1, 2):
        np.testing.assert_allclose(
            answer(model, histories(33, 30)[:batch])["mean"], every["mean"][:batch], rtol=1e-5, atol=1e-4
        )
    cut = answer(model, histories(33, 30)[:, -12:], start="2024-02-29 14:00")
    np.testing.assert_allclose(cut["quantiles"], every["quantiles"], rtol=1e-5, atol=1e-4)
    assert answer(model, np.zeros((0, 30), np.float32))["quantiles"].shape == (0, 5, 9)


@pytest.mark.parametrize("head", HEADS[:3])
def test_a_forecast_moves_and_stretches_with_its_series(head):
    model, history = make(head), histories(4, 12)
    plain = answer(model, history)["quantiles"]
    np.testing.assert_allclose(answer(model, 3 * history)["quantiles"], 3 * plain, rtol=1e-4, atol=1e-4)


def test_short_constant_and_negative_histories_get_finite_forecasts():
    model = make()
    for history in ([[7.0]], [[0.0] * 12], [[5.0] * 30], [[-3.0, -4.0, np.nan]], [[1e-20] * 12], [[1e12, 2e12]]):
        assert np.isfinite(answer(model, np.array(history, np.float32))["quantiles"]).all(), history


def test_a_history_without_values_is_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least one value"):
        answer(make(), np.full((2, 3), np.nan, np.float32))


def test_counts_are_forecast_as_counts():
    drawn = answer(make("negative-binomial"), histories(2, 12))
    assert np.all(drawn["quantiles"] >= 0)


def test_networks_of_an_ensemble_differ_and_are_averaged():
    model = make(ensemble=3)
    each = model({**model.example(), "history": tf.constant(histories(1, 12))}).numpy()
    assert each.shape == (1, 3, 5, 9) and each.std(axis=1).min() > 0
    inputs = {**model.example(), "history": tf.constant(histories(1, 12))}
    np.testing.assert_allclose(model.forecast(inputs)["quantiles"], each.mean(axis=1), rtol=1e-5)


def test_missing_values_are_those_of_a_season_before():
    values = tf.constant([[1.0, 2.0, 3.0, 0.0, 5.0, 0.0, 0.0, 8.0]])
    seen = tf.constant([[1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(filled(values, seen, 3)[0], [1, 2, 3, 1, 5, 3, 1, 8])
    np.testing.assert_array_equal(filled(values[:, 2:], seen[:, 2:], 5)[0], [3, 0, 5, 0, 0, 8])


def test_a_window_is_standardised_by_what_is_there():
    history = np.array([[4.0, np.nan, 8.0, 6.0]], np.float32)
    window = scaled(tf.constant(history), 2)
    np.testing.assert_allclose([window.level[0, 0], window.spread[0, 0]], [6, np.nanstd(history)], rtol=1e-6)
    np.testing.assert_allclose(window.values[0], (np.array([4, 6, 8, 6]) - 6) / np.nanstd(history), atol=1e-6)


def test_what_is_known_ahead_and_categories_change_a_forecast():
    model = Forecaster(
        5, 4, 12, 4, known=["price"], past=["rain"], static=["town"], categories=[["a", "b"]], units=8, hidden=8
    )
    model.build()
    endpoint = endpoints(model)["serving_default"]
    function = tf.function(endpoint.function, input_signature=endpoint.inputs, autograph=False)
    history, known = tf.constant(histories(1, 14)), np.zeros((1, 19, 1), np.float32)
    past, category = tf.zeros((1, 14, 1)), tf.constant([["a"]])
    plain = function(history, tf.constant(known), past, category)["mean"].numpy()
    known[0, -1] = 1.0
    assert np.abs(function(history, tf.constant(known), past, category)["mean"] - plain).max() > 0
    assert np.abs(function(history, tf.zeros_like(known), past + 1, category)["mean"] - plain).max() > 0
    assert np.abs(function(history, tf.zeros_like(known), past, tf.constant([["b"]]))["mean"] - plain).max() > 0
    unknown = [function(history, tf.zeros_like(known), past, tf.constant([[name]]))["mean"] for name in ("c", "d")]
    np.testing.assert_array_equal(*unknown)
    with pytest.raises(tf.errors.InvalidArgumentError, match="5 more steps than history"):
        function(history, tf.constant(known[:, 1:]), past, category)


def with_covariates(scale, offset):
    """A series of 200 hours and two covariates, which it follows, in other units."""
    random = np.random.default_rng(0)
    covariates = random.normal(size=(220, 2)).astype(np.float32)
    values = (50 + covariates.sum(axis=1)[:200]).astype(np.float32)
    covariates[150:152] = np.nan
    covariates = (offset + scale * covariates).astype(np.float32)
    one = OneSeries("a", values, np.datetime64("NaT"), covariates[:, :1], covariates[:200, 1:], (), 0, 200)
    return TimeSeries((one,), None, 4, 4, "weather", "train", known=("heat",), past=("rain",))


@pytest.mark.parametrize("head", HEADS[:2])
@pytest.mark.parametrize(("scale", "offset"), [(8, 288), (8000, -50000), (0.01, 0)])
def test_the_unit_of_a_covariate_changes_nothing(head, scale, offset):
    config = RunConfig(TASK.source(), Options(units=8, hidden=8, head=head, paths=10), TASK.training)
    answers = []
    for unit in ((1, 0), (scale, offset)):
        keras.utils.set_random_seed(0)
        split = with_covariates(*unit)
        model = task.make(config, split)
        inputs, *_ = next(iter(Windows(model, split, [(0, 160), (0, 190)], batch_size=2).epoch(0)))
        again = Forecaster.from_config(model.get_config())
        again.build()
        again.set_weights(model.get_weights())
        answers += [model.forecast(inputs)["mean"], again.forecast(inputs)["mean"]]
    for other in answers[1:]:
        np.testing.assert_allclose(answers[0], other, rtol=2e-3)


def test_a_constant_covariate_and_one_without_values_are_zero():
    split = with_covariates(0, 7)
    split.series[0].past[:] = np.nan
    model = task.make(RunConfig(TASK.source(), Options(units=8, hidden=8), TASK.training), split)
    assert model.statistics == ((7.0, 1.0), (0.0, 1.0))


def test_bands_of_samples_are_not_too_narrow():
    drawn = np.sort(scipy.stats.norm.ppf(np.random.default_rng(0).random((4000, 50))), axis=-1)
    low, high = tf.unstack(_quantiles(tf.constant(drawn, tf.float32), [0.05, 0.95]), axis=-1)
    assert np.mean(scipy.stats.norm.cdf(high) - scipy.stats.norm.cdf(low)) == pytest.approx(0.9, abs=0.012)


def test_numbers_of_paths_are_spread_evenly():
    uniform = np.sort(_spread_evenly((3, 2, 40), 5), axis=-1)
    assert np.all(np.floor(uniform * 40) == np.arange(40))


def test_a_missing_last_value_is_marked_as_missing():
    model = make("normal")
    history = histories(1, 12)
    history[0, -1] = history[0, -5] = 20.0
    filled_in, missing = np.array(history), np.array(history)
    missing[0, -1] = np.nan  # counts as the value of a season before, in other words as the same number
    assert np.abs(answer(model, filled_in)["mean"] - answer(model, missing)["mean"])[0, 0] > 1e-3


def test_data_that_are_prepared_for_the_first_time_do_not_change_a_run(tmp_path, monkeypatch):
    """Preparing them draws random numbers, before the model has its first weights."""
    monkeypatch.setattr(training, "fit", lambda model, *_, **__: model.get_weights())
    config = RunConfig(TASK.source(), Options(units=8, hidden=8), TASK.training)
    splits = {"train": with_covariates(1, 0), "validation": with_covariates(1, 0)}
    found = []
    for _ in range(2):
        random.random()
        found.append(fit_model(TASK, config, splits, tmp_path).history)
    for weights, expected in zip(*found, strict=True):
        np.testing.assert_array_equal(weights, expected)


def test_a_model_without_statistics_reads_covariates_as_they_are():
    """Such as one that was saved before models had any."""
    keras.utils.set_random_seed(0)
    model = Forecaster(5, 4, 12, 4, known=["heat"], units=8, hidden=8)
    model.build()
    inputs = {"history": tf.constant(histories(1, 12))}
    answers = [model.forecast({**inputs, "known": tf.fill((1, 17, 1), heat)})["mean"].numpy() for heat in (20.0, 30.0)]
    assert np.abs(answers[0] - answers[1]).max() > 1e-4
