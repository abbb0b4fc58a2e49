"""Digits that move: each action does what its name says, and no image is in two splits."""

import numpy as np
import pytest

from rnnapps.datasets import DataError, VideoSource, load_splits
from rnnapps.datasets.embedded.moving_digits import ACTIONS, FPS, LONGEST, SHORTEST, MovingDigits, caption, clip

DIGIT = np.zeros((8, 8))
DIGIT[:, 1:4] = 1  # a bar left of the middle
DIGIT[0, 1:7] = 1


def drawn(action, seed=0):
    return clip(DIGIT, action, np.random.default_rng(seed)).astype(float)


def bright(frame):
    """Rows and columns of the pixels that belong to the digit."""
    return np.nonzero(frame > 128)


@pytest.mark.parametrize("seed", range(5))
def test_actions_do_what_they_are_called(seed):
    for action in ACTIONS:
        frames = drawn(action, seed)
        assert SHORTEST <= len(frames) <= LONGEST and frames.shape[1:] == (32, 32)
        (row, column), (last_row, last_column) = bright(frames[0]), bright(frames[-1])
        right, down = last_column.mean() - column.mean(), last_row.mean() - row.mean()
        kind, _, way = action.partition(" ")
        if kind in ("move", "bounce") and way in ("left", "right"):
            assert (right > 5) == (way == "right") and (right < -5) == (way == "left"), action
        if action in ("move up", "move down"):
            assert (down > 5) == (way == "down") and (down < -5) == (way == "up"), action
        if kind in ("grow", "shrink"):
            assert (len(last_row) > 1.5 * len(row)) == (kind == "grow"), action


def test_turning_left_is_counterclockwise():
    top = np.zeros((8, 8))
    top[:3, 3:5] = 1  # goes to the left of the middle when the digit turns to the left
    for seed in range(5):
        for way, sign in (("left", -1), ("right", 1)):
            frames = clip(top, f"turn {way}", np.random.default_rng(seed)).astype(float)
            quarter = frames[len(frames) // 2]  # 45 to 90 degrees
            assert sign * (bright(quarter)[1].mean() - bright(frames[0])[1].mean()) > 2


def test_the_same_clips_are_made_everywhere():
    frames = clip(DIGIT, "bounce left", np.random.default_rng(3))
    assert frames.dtype == np.uint8 and len(frames) == 15
    assert frames.mean() == pytest.approx(31.4, abs=0.5)
    assert caption(8, "grow") == "an eight grows" and caption(1, "move up") == "a one moves up"


def test_no_image_is_in_two_splits(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(
        MovingDigits,
        "_generate_examples",
        lambda self, split, images, numbers: seen.update({split: {image.tobytes() for image in images}}) or iter(()),
    )
    MovingDigits(data_dir=str(tmp_path))._split_generators(None)
    assert {split: len(images) > 170 for split, images in seen.items()} == dict.fromkeys(seen, True)
    assert not seen["train"] & seen["test"] and not seen["train"] & seen["validation"]


def test_frames_of_another_size_or_rate_are_refused():
    for options, complaint in (({"size": 64}, "--size 32, got 64"), ({"fps": 30.0}, f"--fps must be {FPS:g}, got 30")):
        with pytest.raises(DataError, match=complaint):
            load_splits(VideoSource(**options), ["test"])
