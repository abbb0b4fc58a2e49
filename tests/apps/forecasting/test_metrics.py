"""Figures, compared with utilsforecast; other methods, with statsforecast and by hand."""

import numpy as np
import pandas as pd
import pytest
from statsforecast.models import SeasonalNaive
from utilsforecast import losses

from rnnapps.apps.forecasting import peers
from rnnapps.apps.forecasting.metrics import actual_values, mase_scales, owa, point_figures, quantile_figures
from rnnapps.datasets import OneSeries, TimeSeries

LEVELS = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
NEVER = np.datetime64("NaT", "s")
NOTHING = np.zeros((60, 0), np.float32)


def split():
    random = np.random.default_rng(1)
    series = []
    for number in range(3):
        values = (20 + 5 * np.sin(np.arange(60) * 2 * np.pi / 6) + random.normal(size=60)) * 10**number
        series.append(OneSeries(f"s{number}", values.astype(np.float32), NEVER, NOTHING, NOTHING, (), 48, 60))
    return TimeSeries(tuple(series), None, 6, 6, "waves", "test")


def test_figures_are_those_of_utilsforecast():
    part = split()
    origins = part.origins(1)
    actual, scales = actual_values(part, origins), mase_scales(part, origins)
    random = np.random.default_rng(2)
    quantiles = np.sort(actual[..., None] * random.uniform(0.7, 1.3, (*actual.shape, len(LEVELS))), axis=-1)
    ids = np.repeat(["a", "b", "c"], 6)
    frame = pd.DataFrame({"unique_id": ids, "ds": np.tile(np.arange(54, 60), 3), "y": actual.reshape(-1)})
    frame["model"] = quantiles[..., 3].reshape(-1)
    known = pd.concat(
        pd.DataFrame({"unique_id": name, "ds": np.arange(54), "y": one.values[:54]})
        for name, one in zip("abc", part.series, strict=True)
    )
    point = point_figures(actual, quantiles[..., 3], scales)
    mase = losses.mase(frame, ["model"], seasonality=6, train_df=known)["model"].mean()
    assert point["mase"] == pytest.approx(mase, rel=1e-5)
    assert point["smape"] == pytest.approx(200 * losses.smape(frame, ["model"])["model"].mean(), rel=1e-5)
    assert point["mae"] == pytest.approx(losses.mae(frame, ["model"])["model"].mean(), rel=1e-5)
    for place in range(len(LEVELS)):
        frame[f"q{place}"] = quantiles[..., place].reshape(-1)
    columns = [f"q{place}" for place in range(len(LEVELS))]
    found = quantile_figures(actual, quantiles, LEVELS, scales)
    expected = losses.mqloss(frame, {"model": columns}, quantiles=np.array(LEVELS))["model"]
    assert found["wql"] == pytest.approx(2 * expected.mean() / np.abs(actual).mean(), rel=1e-5)
    assert found["crps"] == pytest.approx((2 * expected / scales).mean(), rel=1e-5)
    covered = losses.coverage(frame.rename(columns={"q1": "model-lo-80", "q5": "model-hi-80"}), ["model"], 80)["model"]
    assert found["coverage_80"] == pytest.approx(covered.mean())


def test_without_errors_of_the_reference_there_is_no_owa():
    assert owa({"smape": 2.0, "mase": 1.0}, {"smape": 4.0, "mase": 4.0}) == pytest.approx(0.375)
    assert np.isnan(owa({"smape": 2.0, "mase": 1.0}, {"smape": 0.0, "mase": 1e-9}))


def test_missing_values_do_not_count():
    actual = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])
    figures = point_figures(actual, np.array([[2.0, 9.0, 3.0], [1.0, 1.0, 1.0]]), np.array([0.5, 1.0]))
    assert figures["mase"] == pytest.approx(1.0) and figures["mae"] == pytest.approx(0.5)


def test_origins_are_a_horizon_apart_and_end_with_the_series():
    assert split().origins() == [(index, origin) for index in range(3) for origin in (48, 54)]
    assert split().origins(1) == [(0, 54), (1, 54), (2, 54)]


def test_seasonal_naive_is_that_of_statsforecast_and_its_bands_grow():
    part = split()
    found = peers.seasonal_naive(part, [(0, 54)], LEVELS).quantiles[0]
    expected = SeasonalNaive(6).forecast(y=part.series[0].values[:54], h=6)["mean"]
    np.testing.assert_allclose(found[:, 3], expected, rtol=1e-6)
    assert np.all(np.diff(found, axis=-1) > 0)


def test_statistical_models_give_ascending_quantiles():
    found = peers.statistical(split(), [(0, 54)], LEVELS)
    assert set(found) == {"AutoETS", "AutoTheta"}
    assert all(np.all(np.diff(one.quantiles, axis=-1) >= 0) for one in found.values())


def test_naive2_repeats_a_season_that_does_not_change_and_the_last_value_without_one():
    season = np.tile(np.array([1.0, 2.0, 4.0, 3.0], np.float32), 15)
    nothing = np.zeros((60, 0), np.float32)
    one = OneSeries("a", season, np.datetime64("NaT"), nothing, nothing, (), 56, 60)
    part = TimeSeries((one,), None, 4, 4, "season", "test")
    np.testing.assert_allclose(peers.naive2(part, [(0, 54)])[0], season[54:58], rtol=1e-6)
    flat = TimeSeries((one,), None, 1, 4, "season", "test")
    np.testing.assert_allclose(peers.naive2(flat, [(0, 54)])[0], np.full(4, season[53]))
    assert owa({"smape": 5.0, "mase": 1.0}, {"smape": 10.0, "mase": 1.0}) == 0.75
