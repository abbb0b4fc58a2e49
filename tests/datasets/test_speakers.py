"""Who speaks, as file names tell, and splits of whole speakers."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnapps.datasets.speakers import hold_out_speakers, recognised, torn
from rnnapps.datasets.splits import SPLITS

LABELS = ("yes", "no", "up")
PEOPLE = ("ann", "bob", "cem")
IDS = ("0a7c2a8d", "1b4c9b89", "ffd2ba2f")


def names(pattern, people=PEOPLE, labels=LABELS, takes=range(2)):
    """Names and labels of recordings, and who speaks in them."""
    found = [
        (pattern.format(label=label, speaker=speaker, n=n), label, speaker)
        for label, speaker, n in itertools.product(labels, people, takes)
    ]
    return tuple(map(list, zip(*found, strict=True)))


@pytest.mark.parametrize(
    "pattern, people",
    [
        ("{label}/{label}_{speaker}_{n}.wav", PEOPLE),
        ("{label}/{speaker}_{n}.wav", PEOPLE),
        ("{label}/{speaker}-{n}.flac", PEOPLE),
        ("{label}/{n}_{speaker}.wav", PEOPLE),
        ("{label}/{speaker}{n}.wav", PEOPLE),
        ("{label}/{speaker}.take.{n}.wav", PEOPLE),
        ("{label}/{speaker}/{n}.wav", PEOPLE),
        ("{label}/{speaker}/{label}_{n}.wav", PEOPLE),
        ("{speaker}/{label}_{n}.wav", PEOPLE),
        ("clips/{speaker}/{label}/{n}.wav", PEOPLE),
        ("train/{label}/{speaker}_{n}.wav", PEOPLE),
        ("{label}/{speaker}_nohash_{n}.wav", IDS),
        ("{speaker}_nohash_{n}.wav", IDS),
        ("{label}/{label}_{speaker}_{n}.wav", ("01", "02", "60")),
        ("{label}/{speaker}_{n}.wav", ("s01", "s02", "p225")),
        ("{label}/{label}-speaker{speaker}-studio-{n}.wav", ("1", "2", "3")),
        ("{speaker}/{label}_{speaker}_{n}.wav", PEOPLE),
    ],
)
def test_speakers_are_recognised(pattern, people):
    found, labels, speakers = names(pattern, people)
    who = recognised(found, labels)
    assert who is not None and who.number == 3
    pairs = set(zip(who.of, speakers, strict=True))
    assert len(pairs) == 3  # one name for each


@pytest.mark.parametrize(
    "pattern, people",
    [
        ("{label}/{n}.wav", PEOPLE),  # nobody is named
        ("{label}/recording_{n}.wav", PEOPLE),
        ("{label}/{label}_{n}.wav", PEOPLE),
        ("{label}/{speaker}_{n}.wav", ("ann",)),  # one speaker
        ("{label}/{speaker}_{n}.wav", ("1", "2", "3")),  # a number may count anything
        ("{label}/{speaker}_{n}_x.wav", ("1", "2")),
    ],
)
def test_what_may_be_something_else_is_not_taken_for_a_speaker(pattern, people):
    assert recognised(*names(pattern, people)[:2]) is None


def test_rules_that_disagree_or_fit_not_all_recordings_are_no_rules():
    places = [
        f"{label}/{who}_{room}_{n}.wav" for label in LABELS for who in PEOPLE for room in ("hall", "bath") for n in "12"
    ]
    assert recognised(places, [place.split("/")[0] for place in places]) is None
    found, labels, _ = names("{label}/{speaker}_{n}.wav")
    assert recognised([*found, "yes/unknown.wav"], [*labels, "yes"]) is None
    # Each of these says one word only: these are rather kinds of recordings.
    one_word = [f"{label}/{who}_{n}.wav" for label, who in zip(LABELS, PEOPLE, strict=True) for n in range(5)]
    assert recognised(one_word, [name.split("/")[0] for name in one_word]) is None


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2)), min_size=4, max_size=80),
    st.sampled_from([("test",), ("test", "validation")]),
    st.integers(0, 5),
)
def test_splits_hold_whole_speakers_and_train_keeps_every_class(recordings, missing, seed):
    of, labels = [speaker for speaker, _ in recordings], np.array([label for _, label in recordings])
    parts = np.zeros(len(of), np.int64)
    if hold_out_speakers(of, labels, parts, missing, seed):
        assert not torn(of, parts)
        assert {SPLITS[part] for part in parts} == {"train", *missing}
        assert set(labels[parts == 0]) == set(labels)
    else:
        assert not parts.any()


def test_a_tenth_is_held_out_in_whole_speakers():
    of = [f"speaker {number}" for number in range(100) for _ in range(7)]
    labels, parts = np.arange(700) % 7, np.zeros(700, np.int64)
    assert hold_out_speakers(of, labels, parts, ("test", "validation"), 0)
    assert np.bincount(parts).tolist() == [560, 70, 70]
    again = np.zeros(700, np.int64)
    hold_out_speakers(of, labels, again, ("test", "validation"), 1)
    assert (again != parts).any()


@pytest.mark.parametrize(
    ("recordings", "train"),
    [
        ([2000] + [20] * 9, 0.9),
        ([1000, 300] + [30] * 8, 0.6),
        ([500] * 3 + [50] * 6, 0.7),
        ([13100] + [50] * 20, 0.9),
        ([100] * 20, 0.79),
        ([100] * 4, 0.49),
    ],
)
@pytest.mark.parametrize("seed", range(5))
def test_a_speaker_with_most_of_the_recordings_stays_in_train(recordings, train, seed):
    of = [f"speaker{number}" for number, count in enumerate(recordings) for _ in range(count)]
    labels = np.arange(len(of)) % 5
    parts = np.full(len(of), SPLITS.index("train"))
    assert hold_out_speakers(of, labels, parts, ("test", "validation"), seed)
    shares = np.bincount(parts, minlength=3) / len(of)
    assert shares[SPLITS.index("train")] >= train
    assert (shares > 0).all() and not torn(of, parts)
