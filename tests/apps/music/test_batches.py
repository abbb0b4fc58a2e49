"""Batches of pieces: what is transposed, withheld and padded."""

import numpy as np
import pytest

from rnnapps.apps.music.batches import PieceBatches
from rnnapps.apps.music.keys import key_of
from rnnapps.apps.music.model import ChordModel
from rnnapps.apps.music.note_distribution import NONE, NOTES
from rnnapps.datasets import Piece, Pieces

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def piece(first, quarters, metre="", upbeat=0):
    """A scale of chords of two notes."""
    notes = [(24 * t, 24, first + SCALE[t % 8] + up) for t in range(quarters) for up in (0, 12)]
    return Piece(f"from {first}", np.array(notes, np.int32), metre, upbeat)


@pytest.fixture(scope="module")
def model():
    model = ChordModel(1.0, 2, ("3/4", "4/4"), units=4, hidden=16)
    model.build()
    return model


def split(*pieces):
    return Pieces(tuple(pieces), 1.0, "scales")


def test_what_is_scored_is_every_step_as_it_is_without_the_key(model):
    pieces = split(piece(60, 20, "3/4", upbeat=24), piece(84, 9), Piece("silent", np.zeros((0, 3), np.int32)))
    ((inputs, targets),) = PieceBatches(model, pieces, 4).epoch(0)
    assert inputs["notes"].shape == (2, 32, 2) and targets.shape == (2, 32, NOTES)
    np.testing.assert_array_equal(inputs["notes"][1, :2], [[39, 51], [41, 53]])
    assert (inputs["notes"].numpy()[0, 9:] == NONE).all()
    assert inputs["key"].numpy().tolist() == [0, 0] and inputs["metre"].numpy().tolist() == [0, 1]
    assert inputs["place"].numpy()[1, :6].tolist() == [2, 0, 1, 2, 0, 1]
    assert (targets.numpy() >= 0).all(axis=2).sum(axis=1).tolist() == [9, 20]
    assert np.flatnonzero(targets[1, 0] > 0).tolist() == [39, 51]
    logits = model(inputs)
    changed = {**inputs, "notes": tf_with(inputs["notes"], (1, 10), (0, 1))}
    same = np.isclose(model(changed), logits, atol=1e-6).all(axis=2)[1]
    # The step that has changed tells its own upper notes, and all that follow; nothing before it.
    assert same[:10].all() and not same[10:].any()


def tf_with(notes, place, values):
    notes = notes.numpy()
    notes[place] = values
    return notes


def test_training_transposes_within_the_piano_and_tells_the_key_of_half_of_the_pieces(model):
    pieces = split(*(piece(first, 16) for first in (21, 50, 60, 84) * 25))
    batches = PieceBatches(model, pieces, 8, seed=3, transpose=5)
    first = {}
    told = 0
    for inputs, targets in batches.epoch(2):
        notes = inputs["notes"].numpy()
        assert notes.max() < NOTES
        np.testing.assert_array_equal((targets.numpy() > 0).sum(axis=2), 2)
        for row, key in zip(notes, inputs["key"].numpy(), strict=True):
            first[int(row[0, 0])] = first.get(int(row[0, 0]), 0) + 1
            if key:
                told += 1
                assert key - 1 == key_of((row + 21).ravel().tolist())
    assert 30 < told < 70
    # The scale from 21 begins on the lowest note of a piano and only goes up; that from 84 ends on the highest.
    assert set(first) <= {*range(6), *range(24, 35), *range(34, 45), *range(58, 64)} and len(first) > 20
    again = [inputs["notes"].numpy() for inputs, _ in batches.epoch(2)]
    for (inputs, _), notes in zip(batches.epoch(2), again, strict=True):
        np.testing.assert_array_equal(inputs["notes"], notes)
    assert batches.steps == len(again) == 13
