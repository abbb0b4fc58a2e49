"""CTC: the loss, the searches and the alignment against sums over every path."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.decoding import Scorer, ctc_align, ctc_beam_search, ctc_greedy, without_long_blanks
from rnnapps.training import ctc_loss, needed_steps

TOKENS, TIME = 3, 5


def random_log_probs(seed, batch=3, time=TIME, tokens=TOKENS, spread=2.0):
    logits = np.random.default_rng(seed).normal(0, spread, (batch, time, tokens + 1)).astype("float32")
    return tf.nn.log_softmax(logits)


def spelt(path, blank):
    return tuple(token for token, _ in itertools.groupby(path) if token != blank)


def every_text(log_probs):
    """The log-probability of each text, and its best path with the probability of that, by all paths of one row."""
    log_probs = np.asarray(log_probs, "float64")
    time, classes = log_probs.shape
    texts, best = {}, {}
    for path in itertools.product(range(classes), repeat=time):
        value = log_probs[np.arange(time), path].sum()
        text = spelt(path, classes - 1)
        texts[text] = np.logaddexp(texts.get(text, -np.inf), value)
        best[text] = max(best.get(text, (-np.inf, ())), (value, path))
    return texts, best


def forward_backward(log_probs, labels):
    """Graves et al. 2006, equations 5 to 16, in float64: the loss and its gradient by the logits."""
    y = np.exp(np.asarray(log_probs, "float64"))
    time, classes = y.shape
    states = [classes - 1]
    for label in labels:
        states += [label, classes - 1]
    forward, backward = np.zeros((time, len(states))), np.zeros((time, len(states)))
    for s in range(min(2, len(states))):
        forward[0, s] = y[0, states[s]]
        backward[-1, -1 - s] = y[-1, states[-1 - s]]
    for t in range(1, time):
        for s in range(len(states)):
            jumps = s >= 2 and states[s] != classes - 1 and states[s] != states[s - 2]
            forward[t, s] = forward[t - 1, max(0, s - 2 if jumps else s - 1) : s + 1].sum() * y[t, states[s]]
        for s in range(len(states)):
            jumps = s + 2 < len(states) and states[s] != classes - 1 and states[s] != states[s + 2]
            later = backward[time - t, s : s + (3 if jumps else 2)].sum()
            backward[time - 1 - t, s] = later * y[time - 1 - t, states[s]]
    total = forward[-1, -2:].sum()
    gradient = y.copy()
    for t in range(time):
        for s, state in enumerate(states):
            gradient[t, state] -= forward[t, s] * backward[t, s] / y[t, state] / total
    return -np.log(total), gradient


@pytest.mark.parametrize("labels", [[0], [1, 1], [0, 1, 2], [2, 2, 0, 1], [1, 0, 1, 0, 1, 0, 0]])
def test_loss_and_gradient_are_those_of_a_slow_forward_backward(labels):
    log_probs = random_log_probs(4, batch=2, time=9)
    padded = np.full((2, 8), -1)
    padded[0, : len(labels)], padded[1, 0] = labels, 2
    with tf.GradientTape() as tape:
        tape.watch(log_probs)
        losses, good = ctc_loss(log_probs, tf.constant([9, 4]), tf.constant(padded))
    gradient = tape.gradient(losses, log_probs)
    for row, (steps, text) in enumerate([(9, labels), (4, [2])]):
        loss, expected = forward_backward(log_probs[row, :steps], text)
        np.testing.assert_allclose(losses[row], loss, rtol=1e-5)
        np.testing.assert_allclose(gradient[row, :steps], expected, atol=1e-5)
        assert not np.any(gradient[row, steps:])
    assert good.numpy().all()


def test_a_row_that_cannot_be_spelt_costs_nothing_and_spoils_no_other():
    log_probs = random_log_probs(5, batch=5)
    labels = tf.constant([[0, 1, -1], [1, 1, 1], [-1, -1, -1], [0, -1, -1], [0, 1, 2]])
    with tf.GradientTape() as tape:
        tape.watch(log_probs)
        losses, good = ctc_loss(log_probs, tf.constant([5, 4, 5, 0, 3]), labels)
    gradient = tape.gradient(losses, log_probs).numpy()
    assert good.numpy().tolist() == [True, False, False, False, True]
    assert needed_steps(labels).numpy().tolist() == [2, 5, 0, 1, 3]
    np.testing.assert_allclose(losses[0], forward_backward(log_probs[0], [0, 1])[0], rtol=1e-5)
    assert np.isfinite(gradient).all() and not gradient[1:4].any() and not losses.numpy()[1:4].any()


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_what_a_sum_over_all_paths_finds(seed):
    log_probs, steps = random_log_probs(seed), tf.constant([5, 3, 1])
    search = tf.function(lambda *inputs: ctc_beam_search(*inputs, beam_width=300, n_best=4), autograph=False)
    found = search(log_probs, steps)
    for row, count in enumerate(steps.numpy()):
        ranked = sorted(((value, text) for text, value in every_text(log_probs[row, :count])[0].items()), reverse=True)
        texts = [tuple(ids[:length]) for ids, length in zip(found.ids[row].numpy(), found.lengths[row], strict=True)]
        assert texts == [text for _, text in ranked[:4]]
        np.testing.assert_allclose(found.scores[row], [value for value, _ in ranked[:4]], rtol=1e-4)


def random_scorer(seed):
    """A language model of which the next token depends on the two before, in TensorFlow and in NumPy."""
    table = random_log_probs(seed, 1, (TOKENS + 1) ** 2, TOKENS)[0]

    def place(state):
        return state[:, 0] * (TOKENS + 1) + state[:, 1]

    def start(batch):
        state = tf.fill([batch, 2], TOKENS)
        return tf.gather(table, place(state)), [state]

    def step(tokens, states):
        state = tf.stack([states[0][:, 1], tokens], axis=1)
        return tf.gather(table, place(state)), [state]

    def log_prob(text):
        before, value = (TOKENS, TOKENS), 0.0
        for token in (*text, TOKENS):
            value += float(table[before[0] * (TOKENS + 1) + before[1], token])
            before = (before[1], token)
        return value

    return Scorer(start, step), log_prob


@pytest.mark.parametrize(("alpha", "beta"), [(0.7, 0.0), (1.5, 1.0)])
def test_a_language_model_changes_the_order_as_its_formula_says(alpha, beta):
    scorer, log_prob = random_scorer(9)
    log_probs, steps = random_log_probs(8), tf.constant([5, 4, 2])
    found = ctc_beam_search(log_probs, steps, beam_width=300, n_best=3, scorer=scorer, alpha=alpha, beta=beta)
    for row, count in enumerate(steps.numpy()):
        texts = every_text(log_probs[row, :count])[0]
        ranked = sorted(
            ((value + alpha * log_prob(text) + beta * len(text), text) for text, value in texts.items()), reverse=True
        )
        assert [tuple(i[i >= 0]) for i in found.ids[row].numpy()] == [text for _, text in ranked[:3]]
        np.testing.assert_allclose(found.scores[row], [value for value, _ in ranked[:3]], rtol=1e-4)


def test_a_narrow_beam_of_long_steps_gives_rows_alone_what_it_gives_them_together():
    log_probs, steps = random_log_probs(3, 4, 40, 6), tf.constant([40, 17, 1, 30])
    together = ctc_beam_search(log_probs, steps, beam_width=8, n_best=2)
    for row in range(4):
        alone = ctc_beam_search(log_probs[row : row + 1, : steps[row]], steps[row : row + 1], beam_width=8, n_best=2)
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-4)
        length = alone.ids.shape[2]
        np.testing.assert_array_equal(alone.ids[0], together.ids[row, :, :length])


def test_fewer_texts_than_asked_for_are_marked():
    found = ctc_beam_search(random_log_probs(0, 1, 1, 1), tf.constant([1]), beam_width=4, n_best=4)
    assert np.isfinite(found.scores.numpy()[0]).tolist() == [True, True, False, False]


def test_greedy_search_spells_the_best_path():
    log_probs, steps = random_log_probs(2, 8, 6), tf.constant([6, 5, 4, 3, 2, 1, 0, 6])
    tokens, scores = ctc_greedy(log_probs, steps)
    for row, count in enumerate(steps.numpy()):
        path = log_probs.numpy()[row, :count].argmax(-1)
        assert tuple(t for t in tokens.numpy()[row] if t >= 0) == spelt(path, TOKENS)
        np.testing.assert_allclose(scores[row], log_probs.numpy()[row, :count].max(-1).sum(), rtol=1e-5)


@pytest.mark.parametrize("text", [(), (0,), (1, 1), (2, 0), (0, 1, 2)])
def test_the_alignment_is_the_best_of_all_paths_that_spell_the_text(text):
    log_probs, steps = random_log_probs(6, 2), tf.constant([5, 4])
    tokens = tf.constant([[*text, -1], [*text, -1]], tf.int32)
    found = ctc_align(log_probs, steps, tokens)
    for row, count in enumerate(steps.numpy()):
        _, path = every_text(log_probs[row, :count])[1][text]
        runs, place = [], 0
        for token, group in itertools.groupby(path):
            size = len(list(group))
            if token != TOKENS:
                mean = np.mean([log_probs[row, t, token] for t in range(place, place + size)])
                runs.append((place, place + size - 1, mean))
            place += size
        for k, (first, last, mean) in enumerate(runs):
            assert (int(found.first[row, k]), int(found.last[row, k])) == (first, last)
            np.testing.assert_allclose(found.log_probs[row, k], mean, rtol=1e-4)
        assert found.log_probs[row, len(text)] == 0


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_any_floats_are_taken(dtype):
    log_probs, steps = tf.cast(random_log_probs(1, 2, 4), dtype), tf.constant([4, 3])
    tokens, scores = ctc_greedy(log_probs, steps)
    assert scores.dtype == without_long_blanks(log_probs, steps)[0].dtype == tf.float32
    assert tokens.numpy().tolist() == ctc_greedy(tf.cast(log_probs, tf.float32), steps)[0].numpy().tolist()


def test_long_blanks_are_left_out_and_change_no_text():
    log_probs = random_log_probs(1, 2, 4)
    certain = tf.nn.log_softmax(tf.one_hot(tf.fill([2, 6], TOKENS), TOKENS + 1, on_value=30.0))
    long = tf.concat([log_probs[:, :2], certain, log_probs[:, 2:]], axis=1)
    shorter, steps = without_long_blanks(long, tf.constant([10, 9]))
    assert steps.numpy().tolist() == [5, 4]
    expected = ctc_beam_search(long, tf.constant([10, 9]), n_best=3)
    found = ctc_beam_search(shorter, steps, n_best=3)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-4)
