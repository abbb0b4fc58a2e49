import numpy as np
import pytest
import tensorflow as tf

from rnnapps.datasets import PairBatches


def ragged(lengths, first):
    """Rows of the given lengths in which each id tells its row: row n holds first + n."""
    rows = np.repeat(first + np.arange(len(lengths)), lengths)
    return tf.RaggedTensor.from_row_lengths(tf.constant(rows, tf.int32), lengths)


def pairs(count, seed=0):
    random = np.random.default_rng(seed)
    source = random.integers(0, 30, count)
    target = np.clip(source + random.integers(-5, 6, count), 1, None)
    return ragged(source, 1), ragged(target, 1), ragged(target, 1001)


def rows(batches, epoch=0):
    """All pairs of an epoch without padding, and what batches they came in."""
    found, shapes = [], []
    for (source, target_in), target_out in batches.epoch(epoch):
        assert target_in.shape == target_out.shape
        shapes.append((*source.shape, target_in.shape[1]))
        for parts in zip(source.numpy(), target_in.numpy(), target_out.numpy(), strict=True):
            found.append(tuple(tuple(part[part > 0].tolist()) for part in parts))
    return found, shapes


@pytest.mark.parametrize("seed", [None, 7])
def test_every_pair_comes_once_an_epoch(seed):
    columns = pairs(333)
    batches = PairBatches(lambda _: columns, batch_size=16, seed=seed)
    expected = list(zip(*(map(tuple, column.to_list()) for column in columns), strict=True))
    for epoch in (0, 1):
        found, shapes = rows(batches, epoch)
        assert sorted(found) == sorted(expected)
        assert [found[place] for place in np.argsort(batches.order(epoch))] == expected
        assert len(shapes) == batches.steps == 21
        assert sorted(shape[0] for shape in shapes) == [13] + [16] * 20


def test_order_follows_from_seed_and_epoch_alone():
    columns = pairs(100)

    def order(seed, epoch):
        return PairBatches(lambda _: columns, batch_size=8, seed=seed).order(epoch).tolist()

    assert order(1, 3) == order(1, 3)
    assert order(1, 3) != order(1, 4)
    assert order(1, 3) != order(2, 3)
    assert order(None, 3) == order(None, 4)


def test_little_is_padding():
    columns = pairs(2000)
    real = sum(int(tf.size(column.flat_values)) for column in columns[:2])
    batches = PairBatches(lambda _: columns, batch_size=32, seed=0)
    padded = sum(int(tf.size(source) + tf.size(target)) for (source, target), _ in batches.epoch(0))
    assert 1 - real / padded < 0.15


def test_long_sentences_are_cut():
    columns = ragged([3, 50], 1), ragged([60, 2], 1), ragged([60, 2], 1001)
    (((source, target_in), target_out),) = PairBatches(lambda _: columns, batch_size=2, max_length=10).epoch(0)
    assert source.shape == target_in.shape == target_out.shape == (2, 10)


def test_an_interrupted_epoch_goes_on_where_it_stopped():
    batches = PairBatches(lambda epoch: pairs(64, seed=epoch), batch_size=8, seed=5)
    whole = [batch[1].numpy().tolist() for batch in batches.epoch(2)]
    again = PairBatches(lambda epoch: pairs(64, seed=epoch), batch_size=8, seed=5)
    assert [batch[1].numpy().tolist() for batch in again.epoch(2).skip(3)] == whole[3:]


def test_empty_sentences_are_a_step_long():
    columns = ragged([0, 0], 1), ragged([1, 1], 1), ragged([1, 1], 1001)
    (((source, _), _),) = PairBatches(lambda _: columns, batch_size=2).epoch(0)
    assert source.numpy().tolist() == [[0], [0]]


def test_the_shapes_of_a_batch_are_unknown_beforehand():
    (source, target), out = PairBatches(lambda _: pairs(9), batch_size=2).epoch(0).element_spec
    assert source == target == out == tf.TensorSpec([None, None], tf.int32)


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"batch_size": 1, "max_length": 0}])
def test_impossible_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match="must be at least 1"):
        PairBatches(lambda _: pairs(3), **arguments)


def test_no_pairs_are_refused():
    with pytest.raises(ValueError, match="there are no pairs"):
        PairBatches(lambda _: (ragged([], 1),) * 3, batch_size=1)
