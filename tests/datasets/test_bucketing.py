import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnapps.datasets import boundaries_for, bucket


def sequences(lengths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(1, 1000, length).astype(np.int32) for length in lengths]


def epoch(batches, number=0):
    return [tuple(part.numpy() for part in batch) for batch in batches.epoch(number)]


def padding(lengths, boundaries):
    return sum(min(b for b in boundaries if b >= length) - length for length in lengths)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=30), st.integers(1, 5))
def test_boundaries_waste_as_little_as_the_best_of_all_choices(lengths, buckets):
    boundaries = boundaries_for(lengths, buckets)
    assert boundaries == sorted(set(boundaries))
    assert len(boundaries) <= buckets
    values = sorted(set(lengths))
    choices = itertools.combinations(values[:-1], min(buckets, len(values)) - 1)
    assert padding(lengths, boundaries) == min(padding(lengths, (*choice, values[-1])) for choice in choices)


def test_boundaries_end_at_the_maximum_length():
    assert boundaries_for([3, 900, 5, 5, 70], 3, max_length=100)[-1] == 100
    assert boundaries_for([0, 0], 3) == [1]
    with pytest.raises(ValueError, match="lengths must not be empty"):
        boundaries_for([])


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=40),
    st.integers(1, 9),
    st.lists(st.integers(1, 25), min_size=1, max_size=4, unique=True).map(sorted),
    st.sampled_from([None, 0, 7]),
)
def test_nothing_is_lost_doubled_or_changed(lengths, batch_size, boundaries, seed):
    tokens, labels = sequences(lengths), np.arange(len(lengths))
    batches = bucket((tokens, labels), batch_size=batch_size, boundaries=boundaries, seed=seed)
    found = epoch(batches, 2)
    assert len(found) == batches.steps == -(-len(lengths) // batch_size) == batches.epoch(2).cardinality()
    ids = np.concatenate([label for _, label in found])
    assert ids.tolist() == batches.order(2).tolist()
    assert sorted(ids) == list(range(len(lengths)))
    for padded, label in found:
        assert padded.shape[1] in boundaries
        assert padded.dtype == np.int32
        kept = [tokens[i][: boundaries[-1]] for i in label]
        expected = keras.utils.pad_sequences(kept, maxlen=padded.shape[1], padding="post")
        np.testing.assert_array_equal(padded, expected)


def test_epochs_differ_from_each_other_and_not_from_themselves():
    batches = [bucket((sequences(range(50)), np.arange(50)), batch_size=4, seed=seed) for seed in (1, 1, 2)]
    orders = [batch.order(number).tolist() for batch in batches for number in (0, 1)]
    assert orders[:2] == orders[2:4]
    assert len({tuple(order) for order in orders}) == 4
    shapes = [[padded.shape for padded, _ in epoch(batches[0], number)] for number in (0, 1)]
    assert shapes[0] != shapes[1]  # the batches are shuffled, too


def test_an_interrupted_epoch_continues_where_it_was():
    batches = bucket((sequences(range(50)), np.arange(50)), batch_size=4, seed=1)
    rest = [label.numpy().tolist() for _, label in batches.epoch(3).skip(5)]
    assert rest == [label.tolist() for _, label in epoch(batches, 3)][5:]


def test_at_most_one_batch_is_not_full():
    batches = bucket(
        (sequences([3] * 10 + [6] * 10 + [9] * 10), np.arange(30)), batch_size=8, boundaries=[3, 6, 9], seed=0
    )
    shapes = [padded.shape for padded, _ in epoch(batches)]
    assert sorted(rows for rows, _ in shapes) == [6, 8, 8, 8]
    assert len(set(shapes)) <= 4


def test_without_a_seed_the_order_leads_back_to_the_examples():
    lengths = np.random.default_rng(0).integers(0, 30, 100)
    batches = bucket((sequences(lengths), np.arange(100) * 2), batch_size=7)
    assert batches.order(0).tolist() == batches.order(5).tolist()
    answers = np.concatenate([label for _, label in epoch(batches)])
    assert answers[np.argsort(batches.order())].tolist() == list(range(0, 200, 2))


def test_lists_of_arrays_and_ragged_tensors_give_the_same_batches():
    frames = [np.random.default_rng(n).normal(size=(n, 3)).astype(np.float32) for n in range(20)]
    weights, labels = np.linspace(0, 1, 20), np.arange(20)
    ragged = tf.RaggedTensor.from_row_lengths(np.concatenate(frames), [len(frame) for frame in frames])
    both = [
        bucket((column, labels, weights), batch_size=3, boundaries=[5, 12, 19], seed=4) for column in (frames, ragged)
    ]
    for batch, expected in zip(*map(epoch, both), strict=True):
        for part, expected_part in zip(batch, expected, strict=True):
            np.testing.assert_array_equal(part, expected_part)


def test_of_two_sequences_the_longer_counts():
    batches = bucket(([[1], [1, 2, 3, 4]], [[1, 2], [1]], [b"a", b"b"]), batch_size=1, boundaries=[2, 4])
    assert [(a.shape, b.shape) for a, b, _ in epoch(batches)] == [((1, 2), (1, 2)), ((1, 4), (1, 4))]


def test_all_sequences_empty_are_one_padded_step():
    ((padded, _),) = epoch(bucket(([[], []], np.arange(2)), batch_size=2))
    assert padded.tolist() == [[0], [0]]


@pytest.mark.slow
def test_keras_trains_on_the_batches():
    batches = bucket((sequences([2, 3, 9, 4] * 4), np.arange(16) % 2), batch_size=4, seed=0)
    model = keras.Sequential(
        [keras.layers.Embedding(1000, 4, mask_zero=True), keras.layers.LSTM(3), keras.layers.Dense(1)]
    )
    model.compile(loss="mse", jit_compile=False)
    history = model.fit(batches.epoch(0), verbose=0)
    assert np.isfinite(history.history["loss"][0])


@pytest.mark.parametrize(
    "examples, options, message",
    [
        (([[1, 2]], np.arange(1)), {"batch_size": 0}, "batch_size"),
        (([[1, 2]], np.arange(1)), {"boundaries": [3, 3]}, "ascending"),
        (([[1, 2]], np.arange(1)), {"boundaries": []}, "ascending"),
        (([[1, 2]], np.arange(1)), {"boundaries": [3], "max_length": 2}, "max_length"),
        (([[1, 2]], np.arange(2)), {}, "equal lengths"),
        (([], np.arange(0)), {}, "must not be empty"),
        ((np.arange(3), np.arange(3)), {}, "no component"),
    ],
)
def test_wrong_arguments_are_named(examples, options, message):
    with pytest.raises(ValueError, match=message):
        bucket(examples, **{"batch_size": 2, **options})


def test_five_buckets_pad_twenty_thousand_reviews_by_less_than_a_quarter():
    lengths = np.random.default_rng(0).gamma(2.5, 100, 20_000).astype(int) + 1
    batches = bucket((sequences(lengths), np.arange(20_000)), batch_size=64, max_length=400, seed=0)
    assert batches.epoch(0).cardinality() == 313
    steps = sum(padded.shape[0] * padded.shape[1] for padded, _ in batches.epoch(1))
    assert steps < 1.25 * np.minimum(lengths, 400).sum()
