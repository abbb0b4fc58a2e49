"""Distributions of the next value, compared with SciPy."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from rnnapps.apps.forecasting.heads import draw, log_density, parameters

CASES = {
    "normal": ([1.5, 2.0], lambda: scipy.stats.norm(1.5, 2.0)),
    "student": ([1.5, 2.0, 4.0], lambda: scipy.stats.t(4.0, 1.5, 2.0)),
    "negative-binomial": ([6.0, 2.5], lambda: scipy.stats.nbinom(2.5, 2.5 / (2.5 + 6.0))),
}


@pytest.mark.parametrize("head", CASES)
def test_log_density_is_that_of_scipy(head):
    given, distribution = CASES[head]
    values = np.array([0.0, 1.0, 5.0, 30.0], np.float32)
    expected = (distribution().logpmf if head == "negative-binomial" else distribution().logpdf)(values)
    found = log_density(head, tf.constant([given] * 4, tf.float32), tf.constant(values))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("head", CASES)
def test_draws_have_the_distribution(head):
    given, distribution = CASES[head]
    uniform = np.random.default_rng(0).uniform(1e-6, 1 - 1e-6, (2, 20_000)).astype(np.float32)
    drawn = draw(head, tf.constant([[given]], tf.float32) * tf.ones((2, 20_000, 1)), tf.constant(uniform)).numpy()
    np.testing.assert_array_equal(drawn[0], drawn[1])  # a row does not depend on its place in the batch
    for level in (0.05, 0.5, 0.95):
        expected = distribution().ppf(level)
        assert np.quantile(drawn[0], level) == pytest.approx(expected, abs=0.1 if head != "negative-binomial" else 1)
    assert drawn[0].mean() == pytest.approx(distribution().mean(), abs=0.12)


def test_parameters_stay_within_their_bounds():
    raw = tf.constant([[-50.0, -50.0, -50.0], [50.0, 50.0, 50.0]])
    assert np.all(parameters("negative-binomial", raw[:, :2]).numpy() > 0)
    student = parameters("student", raw).numpy()
    assert np.all(student[:, 1] > 0) and np.all(student[:, 2] > 2)
