"""Places in the calendar, compared with pandas."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from rnnapps.apps.forecasting.calendar import CYCLES, cycle_features, useful_cycles
from rnnapps.datasets.frequency import Frequency, parsed

STARTS = ["2023-12-29 22:15", "2024-02-28", "1969-07-20T20:17:40", "2000-02-29 23:59:59"]


@pytest.mark.parametrize("alias", ["h", "15min", "D", "W", "B", "MS", "QS"])
def test_features_are_those_of_the_dates_that_pandas_counts(alias):
    starts = STARTS if alias not in ("B", "MS", "QS") else ["2024-02-28", "2023-12-01", "1999-12-31"]
    starts = ["2024-01-01", "1999-12-01"] if alias in ("MS", "QS") else starts
    found = cycle_features(tf.constant(starts), -7, 500, parsed(alias), CYCLES).numpy()
    for start, features in zip(starts, found, strict=True):
        step = {"B": pd.offsets.BDay(1), "MS": pd.DateOffset(months=1), "QS": pd.DateOffset(months=3)}.get(alias)
        step = step if step is not None else pd.tseries.frequencies.to_offset("7D" if alias == "W" else alias)
        first = pd.Timestamp(start)
        times = pd.DatetimeIndex([first + number * step for number in range(-7, 493)])
        seconds = (times - times.normalize()).total_seconds()
        shares = {
            "day": seconds / 86_400,
            "week": (times.dayofweek + seconds / 86_400) / 7,
            "month": (times.day - 1) / 31,
            "year": (times.dayofyear - 1) / 365.25,
        }
        for place, cycle in enumerate(CYCLES):
            angle = 2 * np.pi * np.asarray(shares[cycle], "float64")
            np.testing.assert_allclose(features[:, 2 * place], np.sin(angle), atol=1e-5, err_msg=f"{start} {cycle}")
            np.testing.assert_allclose(features[:, 2 * place + 1], np.cos(angle), atol=1e-5)


@pytest.mark.parametrize(
    "start",
    [
        "2024-05-31T18:00:00Z",
        "2024-05-31 18:00Z",
        "2024-05-31T18:00:00.250+00:00",
        "2024-05-31T23:30:15+0530",
        "2024-02-29 22:00 -03:30",
    ],
)
def test_a_time_with_a_zone_is_counted_in_utc(start):
    utc = pd.Timestamp(start).tz_convert("UTC").strftime("%Y-%m-%d %H:%M:%S")
    found, expected = (cycle_features(tf.constant([one]), 0, 3, parsed("h"), CYCLES).numpy() for one in (start, utc))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "start",
    ["2024-05-31T18:00:00+2", "2024-05-31+02:00", "31.05.2024", "", "2024-05-31T18Z", "2024-13-31"]
    + ["2024-00-10", "2024-05-45", "2024-02-30", "2023-02-29", "2024-05-31 25:00", "2024-05-31 18:75"],
)
def test_what_is_no_time_is_refused(start):
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"a start (must be a time like|has a day that)"):
        cycle_features(tf.constant([start]), 0, 3, parsed("h"), CYCLES)


def test_only_cycles_that_were_seen_twice_are_useful():
    assert useful_cycles(Frequency(3600, "seconds"), 24 * 300) == ("day", "week")
    assert useful_cycles(Frequency(86_400, "seconds"), 800) == ("week", "month", "year")
    assert useful_cycles(Frequency(1, "months"), 40) == ("year",)
    assert useful_cycles(None, 1000) == ()
