"""What transcribers and classifiers hear with: steps of waveforms, whole or in chunks; and cuts at pauses."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.audio import FrontEnd, cut_at_pauses
from tests.audio.recordings import speech_like

RATE = 8000


@pytest.mark.parametrize(("reduction", "steps"), [(1, 100), (2, 50), (4, 25)])
def test_steps_come_every_so_many_frames(reduction, steps):
    front_end = FrontEnd(RATE, bands=16, convolutions=(4, 6), reduction=reduction)
    sequence, mask = front_end(speech_like(RATE)[None], np.array([RATE // 2]))
    assert sequence.shape == (1, steps, 4 * 6)
    assert np.sum(mask) == steps // 2 and front_end.step_seconds == pytest.approx(0.01 * reduction)


def test_a_reduction_that_the_convolutions_cannot_make_is_refused():
    for wrong in (3, 8, 0):
        with pytest.raises(ValueError, match=f"got {wrong}"):
            FrontEnd(RATE, convolutions=(4, 6), reduction=wrong)


@pytest.mark.parametrize("size", [57, 777, 4000])
@pytest.mark.sampled
def test_chunks_give_the_steps_of_the_whole(size):
    front_end = FrontEnd(RATE, bands=16, convolutions=(4, 6), reduction=2)
    samples = speech_like(RATE)[None]
    whole, _ = front_end(samples)
    states, pieces = front_end.initial_states(1), []
    for begin in range(0, RATE, size):
        piece, states = front_end.stream(tf.constant(samples[:, begin : begin + size]), states)
        pieces.append(piece)
    np.testing.assert_allclose(tf.concat(pieces, axis=1), whole, atol=1e-4)


def test_variation_is_for_training_only():
    front_end = FrontEnd(RATE, bands=16, convolutions=(4,))
    samples = speech_like(RATE)[None]
    plain, again = (front_end(samples)[0].numpy() for _ in range(2))
    np.testing.assert_array_equal(plain, again)
    varied = front_end(samples, training=True)[0].numpy()
    assert varied.shape != plain.shape or np.abs(varied - plain).max() > 0.01


def test_cuts_lie_in_pauses_and_lose_nothing():
    random = np.random.default_rng(0)
    samples = random.standard_normal(30 * RATE) * 0.3
    pauses = [4.0, 9.5, 13.0, 19.0, 25.0]  # seconds
    for begin in pauses:
        samples[round(begin * RATE) : round((begin + 0.4) * RATE)] *= 0.01
    parts = cut_at_pauses(samples, RATE, longest_seconds=10)
    assert parts[0][0] == 0 and parts[-1][1] == len(samples)
    assert all(one[1] == other[0] for one, other in itertools.pairwise(parts))
    assert all(end - begin <= 10 * RATE for begin, end in parts)
    for _, cut in parts[:-1]:
        assert any(begin <= cut / RATE <= begin + 0.4 for begin in pauses), cut / RATE


def test_what_is_left_after_the_last_frame_counts():
    parts = cut_at_pauses(np.ones(10 * RATE + 100), RATE, longest_seconds=10)
    assert len(parts) == 2 and max(end - begin for begin, end in parts) <= 10 * RATE


@pytest.mark.parametrize("size", [0, 1, 100, RATE])
def test_a_short_recording_is_one_part(size):
    assert cut_at_pauses(np.ones(size), RATE, 10) == [(0, size)]
