"""tanh and the logistic function of the native engine over the range of floats, read off the outputs of cells."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rnnapps.recurrences.weights import Weights

LIMIT = 2e-7


def every_so_many_floats():
    """Floats of all magnitudes, both signs, by their bits; infinities, zeros and subnormals among them."""
    bits = np.arange(0, 0x7F800001, 9973, dtype=np.uint32)
    positive = np.append(bits, np.uint32(0x7F800000)).view(np.float32)
    return np.concatenate([positive, -positive, np.linspace(-20, 20, 200_001, dtype=np.float32)])


def one_step(engine, cell, x, h, kernel):
    weights = Weights(tf.constant([kernel]), tf.zeros((1, len(kernel))), None)
    options = {"mask": None, "recurrent_dropout_mask": None, "reverse": False, "save": False}
    outputs, _, _ = engine.forward(cell, x.reshape(-1, 1, 1), (tf.fill((len(x), 1), h),), weights, **options)
    return outputs.numpy().ravel()


def test_tanh_is_exact_to_2e_7(engine):
    x = every_so_many_floats()
    ours = one_step(engine, "rnn", x, 0.0, [1.0])
    exact = np.tanh(x.astype(np.float64))
    assert np.max(np.abs(ours - exact)) < LIMIT
    normal = np.abs(x) > 1e-37
    assert np.max(np.abs(ours[normal] / exact[normal] - 1)) < LIMIT


def test_the_logistic_function_is_exact_to_2e_7(engine):
    x = every_so_many_floats()
    # h = z * 1 + (1 - z) * tanh(0) is the update gate z alone.
    ours = one_step(engine, "gru", x, 1.0, [1.0, 0.0, 0.0])
    x = x.astype(np.float64)
    exact = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
    # An infinite input times the candidate's zero kernel is NaN, as it should be.
    finite = np.isfinite(x)
    assert np.isnan(ours[~finite]).all()
    assert np.max(np.abs(ours - exact)[finite]) < LIMIT


def test_nan_stays_nan(engine):
    x = np.full(40, np.nan, np.float32)
    assert np.isnan(one_step(engine, "rnn", x, 0.0, [1.0])).all()
    assert np.isnan(one_step(engine, "gru", x, 1.0, [1.0, 0.0, 0.0])).all()
