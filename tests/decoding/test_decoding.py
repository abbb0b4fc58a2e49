"""Beam search against exhaustive search and plain Python, greedy and sampling against the model's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnapps.decoding import Hypotheses, beam_search, greedy, length_penalty, sample
from tests.decoding.random_model import START, RandomModel, Scored, every_sequence, plain_beam_search

anything = {"seed": st.integers(0, 10**6), "alpha": st.sampled_from([0.0, 0.6, 1.0, 2.0])}


def compiled(model: RandomModel, search=beam_search, **arguments: object) -> Callable[..., Hypotheses]:
    """The search in a graph that knows neither the batch size nor the vocabulary's tables."""

    @tf.function(input_signature=[tf.TensorSpec([None, None, model.tables.shape[2]]), tf.TensorSpec([None], tf.int32)])
    def graph(tables: tf.Tensor, limits: tf.Tensor) -> Hypotheses:
        batch = tf.shape(tables)[0]
        states = {"hash": tf.zeros([batch], tf.int32), "vector": tf.zeros([batch, 2, 3])}
        return search(model.step, states, tables, start=START, max_length=limits, **arguments)

    return graph


def run(model: RandomModel, search=beam_search, *, max_length: object, **arguments: object) -> Hypotheses:
    return compiled(model, search, **arguments)(model.tables, np.broadcast_to(max_length, [len(model.tables)]))


def assert_found(found: Hypotheses, sentence: int, expected: Scored) -> None:
    expected = expected[: found.ids.shape[1]]
    np.testing.assert_allclose(found.scores[sentence, : len(expected)], [score for score, _ in expected], rtol=1e-4)
    for ids, length, (_, tokens) in zip(found.ids[sentence], found.lengths[sentence], expected, strict=False):
        assert tuple(ids[:length].numpy()) == tokens
        assert not np.any(ids[length:])
    assert np.all(found.scores[sentence, len(expected) :] == -np.inf)
    assert np.all(found.lengths[sentence, len(expected) :] == 0)


@settings(max_examples=8, deadline=None, derandomize=True)
@given(**anything, vocabulary=st.integers(1, 4), limit=st.integers(0, 3))
def test_a_beam_wide_enough_is_exhaustive(seed: int, alpha: float, vocabulary: int, limit: int) -> None:
    model, end = RandomModel(2, vocabulary, seed), vocabulary - 1
    found = run(model, end=end, max_length=limit, alpha=alpha, beam_width=90, n_best=9)
    for sentence in range(2):
        assert_found(found, sentence, every_sequence(model, sentence, end, limit, alpha))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(**anything, vocabulary=st.sampled_from([2, 5, 30, 128, 131]), beam_width=st.integers(1, 6), data=st.data())
def test_is_beam_search_in_plain_python(seed: int, alpha: float, vocabulary: int, beam_width: int, data) -> None:
    """Small vocabularies, and ones that are ranked in blocks; a limit of its own for each sentence."""
    n_best = data.draw(st.integers(1, beam_width))
    model, limits = RandomModel(5, vocabulary, seed), np.array([6, 0, 9, 3, 1])
    found = run(model, end=0, max_length=limits, alpha=alpha, beam_width=beam_width, n_best=n_best)
    for sentence, limit in enumerate(limits):
        assert_found(found, sentence, plain_beam_search(model, sentence, 0, limit, alpha, beam_width, n_best))


@settings(max_examples=12, deadline=None, derandomize=True)
@given(**anything, beam_width=st.integers(2, 6))
def test_the_best_does_not_depend_on_how_many_are_wanted(seed: int, alpha: float, beam_width: int) -> None:
    model = RandomModel(40, 30, seed)
    one, every = (
        run(model, end=0, max_length=9, alpha=alpha, beam_width=beam_width, n_best=n) for n in (1, beam_width)
    )
    np.testing.assert_allclose(one.scores[:, 0], every.scores[:, 0], rtol=1e-5)
    np.testing.assert_array_equal(one.lengths[:, 0], every.lengths[:, 0])


@settings(max_examples=8, deadline=None, derandomize=True)
@given(**anything, vocabulary=st.sampled_from([2, 7, 200]))
def test_width_one_is_greedy(seed: int, alpha: float, vocabulary: int) -> None:
    arguments = {"end": 1, "max_length": np.array([8, 3, 0]), "alpha": alpha}
    model = RandomModel(3, vocabulary, seed)
    one, other = run(model, greedy, **arguments), run(model, beam_width=1, **arguments)
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.lengths, other.lengths)
    np.testing.assert_allclose(one.scores, other.scores, rtol=1e-5)


def test_greedy_takes_the_best_token_each_time() -> None:
    model = RandomModel(4, 9, seed=3)
    found = run(model, greedy, end=0, max_length=10)
    for sentence in range(4):
        tokens, total = (), 0.0
        while len(tokens) < 10 and (best := int(np.argmax(model.log_probs(sentence, tokens)))) != 0:
            total += model.log_probs(sentence, tokens)[best]
            tokens = (*tokens, best)
        total += model.log_probs(sentence, tokens)[0]
        assert_found(found, sentence, [(total, tokens)])


@pytest.mark.parametrize("search", [beam_search, greedy])
def test_the_batch_does_not_matter(search) -> None:
    model, limits = RandomModel(6, 40, seed=1), np.array([12, 3, 0, 7, 30, 5])
    graph = compiled(model, search, end=0)
    whole = graph(model.tables, limits)
    for sentence in range(6):
        found = graph(model.tables[sentence : sentence + 1], limits[sentence : sentence + 1])
        length = found.ids.shape[2]
        np.testing.assert_array_equal(found.ids[0], whole.ids[sentence, :, :length])
        assert not np.any(whole.ids[sentence, :, length:])
        np.testing.assert_allclose(found.scores[0], whole.scores[sentence], rtol=1e-5)  # another batch, other sums


@pytest.mark.parametrize("search", [beam_search, greedy, sample])
def test_a_batch_of_none_and_an_end_that_never_comes(search) -> None:
    model = RandomModel(3, 12, seed=0)
    model.tables[:, :, 4] = -np.inf
    graph = compiled(model, search, end=4)
    found = graph(model.tables, np.array([5, 0, 300]))
    assert found.lengths[:, 0].numpy().tolist() == [5, 0, 300] and found.ids.shape == (3, 1, 300)
    assert not np.any(found.ids == 4) and np.isfinite(found.scores).all()
    found = graph(model.tables[:0], np.zeros(0, int))
    assert found.ids.shape == (0, 1, 0) and found.scores.shape == (0, 1)


@pytest.mark.parametrize("search", [beam_search, greedy, sample])
def test_numbers_that_are_none_end_too(search) -> None:
    model = RandomModel(2, 12, seed=0)
    model.tables[0] = np.nan
    found = run(model, search, end=4, max_length=6)
    assert found.ids.shape[:2] == (2, 1) and np.isfinite(found.scores[1, 0])


def test_log_probabilities_and_half_precision_are_as_good() -> None:
    model = RandomModel(3, 20, seed=5)
    expected = run(model, end=0, max_length=8)
    plain = model.step

    def as_log_probs(ids: tf.Tensor, states: object, tables: tf.Tensor) -> tuple[tf.Tensor, object]:
        logits, states = plain(ids, states, tables)
        return tf.cast(tf.nn.log_softmax(tf.cast(logits, tf.float64)), tf.float64), states

    model.step = as_log_probs
    found = run(model, end=0, max_length=8)
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)

    def in_half(ids: tf.Tensor, states: object, tables: tf.Tensor) -> tuple[tf.Tensor, object]:
        logits, states = plain(ids, states, tables)
        return tf.cast(logits, tf.bfloat16), states

    model.step = in_half
    assert run(model, end=0, max_length=8).scores.dtype == tf.float32


def test_eager_is_the_graph() -> None:
    model = RandomModel(3, 20, seed=7)
    arguments = {"end": 0, "max_length": 6, "beam_width": 3, "n_best": 2}
    eager = beam_search(model.step, model.states, tf.constant(model.tables), start=START, **arguments)
    for a, b in zip(eager, run(model, **arguments), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_start_for_each_sentence() -> None:
    model = RandomModel(1, 20, seed=7)
    model.tables = np.repeat(model.tables, 2, axis=0)
    both = beam_search(
        model.step, model.states, tf.constant(model.tables), start=tf.constant([1, 2]), end=0, max_length=6
    )
    again = beam_search(model.step, model.states, tf.constant(model.tables), start=2, end=0, max_length=6)
    np.testing.assert_allclose(both.scores[1], again.scores[1], rtol=1e-5)
    assert np.any(both.scores[0] != both.scores[1])


def test_samples_come_as_often_as_they_are_probable() -> None:
    model, count = RandomModel(1, 4, seed=2, spread=0.7), 4000
    found = run(model, sample, end=0, max_length=2, samples=count, seed=11)
    drawn = [tuple(ids[:length]) for ids, length in zip(found.ids[0].numpy(), found.lengths[0].numpy(), strict=True)]
    scores = dict(zip(drawn, found.scores[0].numpy(), strict=True))
    total = 0.0
    for score, tokens in every_sequence(model, 0, 0, 2, 0.0):
        if len(tokens) < 2:  # the end is certain after two tokens, whatever the score says
            probability = np.exp(score)
            total += probability
            assert abs(drawn.count(tokens) / count - probability) < 4 * np.sqrt(probability / count)
        if tokens in scores:
            np.testing.assert_allclose(scores[tokens], score, rtol=1e-4)
    assert 0.1 < total < 0.9
    again = run(model, sample, end=0, max_length=2, samples=count, seed=11)
    np.testing.assert_array_equal(again.ids, found.ids)
    assert np.any(run(model, sample, end=0, max_length=2, samples=count, seed=12).ids != found.ids)


def test_sampling_keeps_to_the_likely_tokens_it_is_told() -> None:
    probabilities = np.array([0.0, 0.4, 0.3, 0.2, 0.1])
    model = RandomModel(1, 5, seed=0)
    with np.errstate(divide="ignore"):
        model.tables[:] = np.log(probabilities)
    drawn = lambda **options: set(run(model, sample, end=0, max_length=50, samples=20, **options).ids.numpy().ravel())  # noqa: E731
    assert drawn() == {1, 2, 3, 4}
    assert drawn(top_k=2) == {1, 2} and drawn(top_k=99) == {1, 2, 3, 4}
    assert drawn(top_p=0.65) == {1, 2} and drawn(top_p=0.75) == {1, 2, 3} and drawn(top_p=0.01) == {1}
    assert drawn(top_k=3, top_p=0.7) == {1, 2}  # 4/9 and 3/9 together are more than 0.7
    assert drawn(temperature=0.01) == {1}


def test_length_penalty_is_the_papers() -> None:
    np.testing.assert_allclose(length_penalty(np.array([1, 7, 13]), 0.5), [1, 2**0.5, 3**0.5], rtol=1e-6)
    np.testing.assert_allclose(length_penalty(100, 0.0), 1, rtol=1e-6)


def test_says_what_is_wrong() -> None:
    model = RandomModel(1, 4, seed=0)
    for search, options, message in (
        (beam_search, {"beam_width": 0}, "`beam_width` must be at least 1, got 0"),
        (beam_search, {"beam_width": 2, "n_best": 3}, "from 1 to `beam_width` \\(2\\), got 3"),
        (beam_search, {"alpha": -1.0}, "`alpha` must be at least 0"),
        (sample, {"samples": 0}, "`samples` must be at least 1"),
        (sample, {"temperature": 0}, "use `greedy`"),
        (sample, {"top_k": 0}, "`top_k` must be at least 1"),
        (sample, {"top_p": 1.1}, "`top_p` must be above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            run(model, search, end=0, max_length=2, **options)


def test_a_saved_model_searches(tmp_path: Path) -> None:
    """Plain ops of any batch size; nothing in the graph that TensorFlow Serving does not run."""
    model = RandomModel(2, 48, seed=9)

    @tf.function(input_signature=[tf.TensorSpec([None, None, 48])])
    def serve(tables: tf.Tensor) -> dict[str, tf.Tensor]:
        states = {"hash": tf.zeros([tf.shape(tables)[0]], tf.int32), "vector": tf.zeros([tf.shape(tables)[0], 2, 3])}
        step = model.step
        return beam_search(step, states, tables, start=START, end=0, max_length=9, n_best=3)._asdict()

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, tmp_path, signatures=serve)
    signature = tf.saved_model.load(tmp_path).signatures["serving_default"]
    expected = run(model, end=0, max_length=9, n_best=3)._asdict()
    for name, value in signature(tf.constant(model.tables)).items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5)
    assert signature(tf.zeros([0, 499, 48]))["ids"].shape == (0, 3, 0)
    graph = signature.graph.as_graph_def()
    ops = {node.op for function in graph.library.function for node in function.node_def}
    assert not ops & {"PyFunc", "EagerPyFunc", "XlaMustCompile"}
    assert not any(function.attr["_XlaMustCompile"].b for function in graph.library.function)


def test_early_ends_of_other_hypotheses_do_not_stop_a_sure_one() -> None:
    # Token 1 six times, then the end, each with probability 0.9; the end at any step is the second best.
    sure, ending = tf.math.log([0.04, 0.9, 0.03, 0.03]), tf.math.log([0.9, 0.04, 0.03, 0.03])

    def step(ids, states, constants):
        logits = tf.where((states < 6)[..., None], sure, ending)
        return logits, states + 1

    found = beam_search(step, tf.zeros([1], tf.int32), start=2, end=0, max_length=20, beam_width=2)
    assert found.ids.numpy().tolist() == [[[1] * 6]]


@pytest.mark.parametrize("n_best", [1, 2])
def test_a_sequence_that_is_better_by_its_length_is_waited_for(n_best):
    """At first, the end is as probable as token 1; after that, token 1 comes six times with probability 0.97."""
    first, sure, ending = tf.math.log(
        [[0.5, 0.498, 0.001, 0.001], [0.02, 0.97, 0.005, 0.005], [0.97, 0.02, 0.005, 0.005]]
    )

    def step(ids, states, constants):
        logits = tf.where((states == 0)[..., None], first, tf.where((states < 6)[..., None], sure, ending))
        return logits, states + 1

    arguments = {"start": 2, "end": 0, "max_length": 20, "beam_width": 2, "alpha": 1.0}
    found = beam_search(step, tf.zeros([1], tf.int32), n_best=n_best, **arguments)
    assert found.ids.numpy()[0, 0].tolist() == [1] * 6
