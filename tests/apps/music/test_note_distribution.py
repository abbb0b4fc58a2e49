"""The distribution of a time step beside a slow computation in NumPy, and what is drawn beside the distribution."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.apps.music.losses import MeanNats, StepNats
from rnnapps.apps.music.note_distribution import NONE, NOTES, NoteDistribution, as_roll


def sigmoid(x):
    return 1 / (1 + np.exp(-np.clip(x, -50, 50)))


def distribution(hidden, units=5, scale=0.5):
    layer = NoteDistribution(hidden)
    layer.build((None, None, units))
    random = np.random.default_rng(0)
    layer.set_weights([random.normal(scale=scale, size=weight.shape).astype("float32") for weight in layer.weights])
    return layer


def nats_in_numpy(layer, h, sounding):
    """- log p(v | h) note by note, from the lowest to the highest: Larochelle and Murray 2011, algorithm 1."""
    b = h @ layer.visible.kernel.numpy() + layer.visible.bias.numpy()
    total = 0.0
    if layer.hidden is not None:
        a = (h @ layer.hidden.kernel.numpy() + layer.hidden.bias.numpy()).astype(np.float64)
        W, V = layer.below.numpy(), layer.above.numpy()
    for i in range(NOTES):
        p = sigmoid(b[i] + (V[i] @ np.maximum(a, 0) if layer.hidden is not None else 0))
        total -= np.log(p if i in sounding else 1 - p)
        if layer.hidden is not None and i in sounding:
            a = a + W[i]
    return total


@pytest.mark.parametrize("hidden", [0, 7])
def test_nats_of_a_step_are_those_of_the_equations(hidden):
    layer = distribution(hidden)
    h = np.random.default_rng(1).normal(size=(2, 3, 5)).astype("float32")
    sounding = [[(0, 87), (), (40, 44, 47, 52)], [(3,), (12, 13), (50, 51, 52)]]
    notes = np.array([[[*step, *[NONE] * (4 - len(step))] for step in piece] for piece in sounding], np.int32)
    expected = np.array([[nats_in_numpy(layer, h[i, t], sounding[i][t]) for t in range(3)] for i in range(2)])
    roll = as_roll(tf.constant(notes)).numpy()
    assert roll.sum() == 12 and roll[0, 2, 44] == 1
    logits = layer(h, notes)
    assert float(StepNats()(roll, logits)) == pytest.approx(expected.mean(), rel=1e-5)
    roll[1, 2] = -1  # padding
    metric = MeanNats()
    metric.update_state(roll[:1], logits[:1])
    metric.update_state(roll[1:], logits[1:])
    assert float(metric.result()) == pytest.approx((expected.sum() - expected[1, 2]) / 5, rel=1e-5)
    assert float(StepNats()(roll, logits)) == pytest.approx((expected.sum() - expected[1, 2]) / 5, rel=1e-5)


def test_the_probabilities_of_all_sets_of_notes_sum_to_one():
    layer = distribution(4)
    weights = layer.get_weights()
    for weight in weights[:2]:  # all but four notes are silent
        weight[..., 4:] = 0
    weights[1][4:] = -100
    weights[-1][4:] = 0
    layer.set_weights(weights)
    h = np.random.default_rng(2).normal(size=(1, 1, 5)).astype("float32")
    total = 0.0
    for size in range(5):
        for step in itertools.combinations(range(4), size):
            notes = np.array([[[*step, *[NONE] * (4 - size)]]], np.int32)
            total += np.exp(-float(StepNats()(as_roll(tf.constant(notes)), layer(h, notes))))
    assert total == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("hidden", [0, 6])
def test_sets_of_notes_are_drawn_as_often_as_their_probability_says(hidden):
    layer = distribution(hidden, scale=0.4)
    count = 20_000
    h = np.random.default_rng(3).normal(size=5).astype("float32")
    layer.visible.bias.assign(np.where(np.arange(NOTES) < 5, 0.0, -100))
    randoms = tf.constant(np.random.default_rng(4).random((count, 5)), tf.float32)
    drawn = layer.draw(tf.repeat(h[None], count, 0), randoms, tf.ones([count])).numpy()
    for step in ((), (0,), (1, 3), (0, 2, 4)):
        wanted = np.array([*step, *[NONE] * (5 - len(step))])
        share = (drawn == wanted).all(axis=1).mean()
        assert share == pytest.approx(np.exp(-nats_in_numpy(layer, h, step)), abs=0.01), step


def test_at_temperature_0_the_notes_are_those_that_are_more_probable_than_not():
    layer = distribution(6)
    h = np.random.default_rng(5).normal(size=(3, 5)).astype("float32")
    drawn = layer.draw(h, tf.random.uniform((3, NOTES), seed=1), tf.zeros([3])).numpy()
    logits = layer(h[:, None], drawn[:, None]).numpy()[:, 0]
    for row in range(3):
        assert set(np.flatnonzero(logits[row] > 0)) == set(drawn[row][drawn[row] != NONE])
