"""Batches of a long text: every token is a target once, streams are contiguous, epochs repeat."""

import numpy as np
import pytest

from rnnapps.apps.language.streams import Streams


def batches(streams: Streams, epoch: int = 0) -> list:
    return [(*(x.numpy() for x in inputs), targets.numpy()) for inputs, targets in streams.epoch(epoch)]


@pytest.mark.parametrize(("tokens", "streams", "length"), [(101, 4, 8), (2, 5, 8), (1000, 1, 7), (64, 64, 3)])
def test_in_validation_every_token_but_the_first_is_a_target_once(tokens, streams, length):
    ids = np.arange(1, tokens + 1, dtype=np.uint16)
    found = batches(Streams(ids, streams, length))
    assert len(found) == Streams(ids, streams, length).steps
    inputs, targets = (np.concatenate([batch[place] for batch in found], axis=1) for place in (0, 2))
    real = targets != 0
    assert sorted(targets[real]) == list(ids[1:])
    np.testing.assert_array_equal(targets[real], inputs[real] + 1)
    assert found[0][1].all() and not any(batch[1].any() for batch in found[1:])


@pytest.mark.parametrize("random_length", [False, True])
def test_in_training_streams_go_on_from_batch_to_batch(random_length):
    ids = np.arange(1, 2001, dtype=np.uint16)
    streams = Streams(ids, 8, 16, seed=3, random_length=random_length)
    for epoch in range(3):
        found = batches(streams, epoch)
        assert len(found) == streams.steps
        inputs = np.concatenate([batch[0] for batch in found], axis=1)
        assert (np.diff(inputs, axis=1) == 1).all()
        assert len(np.unique(inputs)) == inputs.size
    lengths = {batch[0].shape[1] for batch in found}
    assert (len(lengths) > 1) == random_length


def test_epochs_depend_on_their_number_and_the_seed_alone():
    ids = np.arange(1, 2001, dtype=np.uint16)
    first = [batch[0] for batch in batches(Streams(ids, 8, 16, seed=1), 4)]
    again = [batch[0] for batch in batches(Streams(ids, 8, 16, seed=1), 4)]
    other = [batch[0] for batch in batches(Streams(ids, 8, 16, seed=1), 5)]
    assert all((x == y).all() for x, y in zip(first, again, strict=True))
    assert not all((x == y).all() for x, y in zip(first, other, strict=True))
