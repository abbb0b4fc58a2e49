"""Sampling row by row: what is drawn beside the distribution, and rows that end."""

import numpy as np
import tensorflow as tf

from rnnapps.decoding import draw, sample_rows, uniform
from rnnapps.decoding.row_sampling import _gumbel


def test_tokens_are_drawn_by_their_probabilities():
    probabilities = np.array([[0.0, 0.0, 0.1, 0.2, 0.3, 0.4]])
    logits = np.log(np.maximum(probabilities, 1e-30)).astype("float32")
    count = 100_000
    randoms = tf.random.stateless_uniform([count], (0, 0))
    drawn = draw(tf.repeat(logits, count, 0), randoms, tf.ones([count]), None, None).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=6) / count, probabilities[0], atol=6e-3)
    drawn = draw(tf.repeat(logits, count, 0), randoms, tf.ones([count]), 2, None).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=6) / count, [0, 0, 0, 0, 3 / 7, 4 / 7], atol=6e-3)
    drawn = draw(tf.repeat(logits, count, 0), randoms, tf.ones([count]), None, 0.75).numpy()
    np.testing.assert_allclose(np.bincount(drawn, minlength=6) / count, [0, 0, 0, 2 / 9, 3 / 9, 4 / 9], atol=6e-3)
    drawn = draw(tf.repeat(logits, count, 0), randoms, tf.zeros([count]), None, None).numpy()
    assert (drawn == 5).all()


def test_rounding_hardly_ever_changes_a_token():
    """Where a number falls in the distribution function would change three of these rows."""
    rows, tokens = 500, 20_000
    logits = np.random.default_rng(0).normal(0, 2, (rows, tokens)).astype("float32")
    rounded = logits * (1 + np.random.default_rng(1).normal(0, 1e-6, logits.shape).astype("float32"))
    randoms = tf.random.stateless_uniform([rows], (0, 1))
    one, other = (draw(tf.constant(some), randoms, tf.ones([rows])).numpy() for some in (logits, rounded))
    assert (one != other).sum() <= 1
    kept = draw(tf.constant(logits), randoms, tf.ones([rows]), None, 0.999999).numpy()
    assert (one != kept).sum() <= 1  # the noise belongs to the token, not to its rank


def test_noise_is_finite():
    """These numbers of tokens are hashed to 32 ones and to 32 zeros."""
    noise = _gumbel(tf.constant([0.5]), tf.constant([[39183676, 45533985]])).numpy()
    np.testing.assert_allclose(noise, [[np.log(2**24), -np.log(np.log(2**24))]], rtol=1e-6)


def test_random_numbers_of_a_seed_are_the_same_in_every_batch():
    alone = uniform(tf.constant([7]), tf.constant([5]), tf.constant(5))
    among = uniform(tf.constant([1, 7]), tf.constant([900, 5]), tf.constant(900))
    np.testing.assert_array_equal(alone[0], among[1, :5])
    assert (among.numpy()[1, 5:] == -1).all()


def test_a_row_ends_at_its_own_end_and_goes_on_where_it_stopped():
    """The token after n is n + 1, and 5 ends a row."""

    def step(ids, states):
        return tf.one_hot(ids + 1, 6) * 100, [states[0] + ids]

    last, zeros = tf.constant([1, 3, 0]), [tf.zeros([3], tf.int32)]
    randoms = tf.constant([[0.5] * 4, [0.5] * 4, [0.5, 0.5, -1.0, -1.0]])
    found = sample_rows(step, last, zeros, randoms, tf.ones([3]), end=5, pad=9)
    assert found.ids.numpy().tolist() == [[2, 3, 4, 9], [4, 9, 9, 9], [1, 2, 9, 9]]
    assert found.last.numpy().tolist() == [9, 9, 9]
    first = sample_rows(step, last, zeros, randoms[:, :1], tf.ones([3]), end=5, pad=9)
    then = sample_rows(step, first.last, first.states, randoms[:, 1:], tf.ones([3]), end=5, pad=9)
    np.testing.assert_array_equal(tf.concat([first.ids, then.ids], axis=1), found.ids)
