"""Which epoch is the best."""

import math

import pytest

from rnnapps.training.best import Best


@pytest.mark.parametrize(
    ("values", "mode", "epoch", "wait"),
    [
        ([3.0, 1.0, 2.0], "min", 2, 1),
        ([3.0, 1.0, 1.0, 2.0, 1.0], "min", 5, 3),  # of equals the last, but the wait began at the first
        ([0.5, 0.9, 0.9], "max", 3, 1),
        ([math.nan, 2.0, math.nan], "min", 2, 1),
        ([math.nan, math.inf], "min", None, 2),
    ],
)
def test_the_best_epoch_is_the_last_of_those_with_the_best_value(values, mode, epoch, wait):
    best = Best()
    for number, value in enumerate(values, start=1):
        improved = best.improved(number, value, mode)
        assert improved == (best.epoch == number)
    assert (best.epoch, best.wait) == (epoch, wait)
