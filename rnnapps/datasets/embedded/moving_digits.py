"""Handwritten digits that move, turn, grow, shrink and bounce: a TFDS builder over the digits of scikit-learn.

Each clip shows one digit doing one thing before noise; the label says what, and a sentence says who does what. The
images of digits are divided before any clip is made, so no image is in two of the splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.splits import SPLITS, divide, text_hash

SIZE = 32  # pixels, height and width of a frame
FPS = 8.0  # nothing in the clips has a speed of its own; this is what they are played with
SIZES = MappingProxyType({"train": 6_000, "validation": 600, "test": 1_000})
SHORTEST, LONGEST = 10, 16  # frames
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACTIONS: Mapping[str, str] = MappingProxyType(
    {
        "bounce left": "bounces to the left",
        "bounce right": "bounces to the right",
        "grow": "grows",
        "move down": "moves down",
        "move left": "moves to the left",
        "move right": "moves to the right",
        "move up": "moves up",
        "shrink": "shrinks",
        "turn left": "turns to the left",
        "turn right": "turns to the right",
    }
)
_HELD_OUT = {"validation": 180, "test": 360}  # images of digits; 1,257 are left to train on


class Path(NamedTuple):
    """What a digit does, frame by frame; all float `(frames,)`.

    Attributes:
        x, y: Where its centre is, in pixels from the left and from the top.
        scale: Pixels of the frame a pixel of the image of the digit.
        angle: How far it is turned to the left, in radians.
    """

    x: np.ndarray
    y: np.ndarray
    scale: np.ndarray
    angle: np.ndarray


def caption(digit: int, action: str) -> str:
    """The sentence of a clip.

    Example:
        >>> caption(7, "bounce left"), caption(8, "grow")
        ('a seven bounces to the left', 'an eight grows')
    """
    article = "an" if digit == 8 else "a"
    return f"{article} {NUMBERS[digit]} {ACTIONS[action]}"


def clip(digit: np.ndarray, action: str, random: np.random.Generator) -> np.ndarray:
    """One clip of a digit.

    Args:
        digit: Float `(8, 8)`, from 0 to 1.
        action: One of `ACTIONS`.
        random: Draws all that varies: length, size, way, slant, noise and contrast.

    Returns:
        uint8 `(frames, 32, 32)`.
    """
    frames = int(random.integers(SHORTEST, LONGEST + 1))
    drawn = _drawn(digit, _path(action, frames, random))
    background = random.uniform(0, 70) * _smooth_noise(random) + random.normal(0, random.uniform(4, 16), drawn.shape)
    return np.clip(background + random.uniform(150, 255) * drawn, 0, 255).astype(np.uint8)


def _path(action: str, frames: int, random: np.random.Generator) -> Path:
    time = np.linspace(0, 1, frames)
    still: np.ndarray = np.ones(frames)
    x, y = (still * random.uniform(13, 19) for _ in range(2))
    scale, angle = still * random.uniform(1.7, 2.2), still * random.uniform(-0.2, 0.2)
    kind, _, way = action.partition(" ")
    sign = -1 if way in ("left", "up") else 1
    along = SIZE / 2 + random.uniform(-2, 2) + sign * random.uniform(9, 15) * (time - 0.5)
    if kind == "move" and way in ("up", "down"):
        y = along
    elif kind in ("move", "bounce"):
        x = along
    if kind == "bounce":
        hops = random.uniform(2, 3.5)
        y = 21 - random.uniform(7, 10) * np.abs(np.sin(np.pi * (hops * time + random.uniform(0, 1))))
    elif kind == "turn":
        angle = angle - sign * random.uniform(np.pi / 2, np.pi) * time
    elif kind in ("grow", "shrink"):
        small, large = random.uniform(1.1, 1.5), random.uniform(2.3, 2.9)
        scale = small + (large - small) * (time if kind == "grow" else 1 - time)
    return Path(x, y, scale, angle)


def _drawn(digit: np.ndarray, path: Path) -> np.ndarray:
    """The digit on its way, float (frames, 32, 32), by bilinear interpolation of its image."""
    rows, columns = np.mgrid[:SIZE, :SIZE]
    right, down = columns - path.x[:, None, None], rows - path.y[:, None, None]
    cosine, sine = np.cos(path.angle)[:, None, None], np.sin(path.angle)[:, None, None]
    scale = path.scale[:, None, None]
    middle = (digit.shape[0] - 1) / 2 + 1  # with the border
    column = np.clip((cosine * right - sine * down) / scale + middle, 0, digit.shape[1] + 0.999)
    row = np.clip((sine * right + cosine * down) / scale + middle, 0, digit.shape[0] + 0.999)
    bordered = np.pad(digit, ((1, 2), (1, 2)))
    left, top = column.astype(int), row.astype(int)
    column, row = column - left, row - top
    upper = (1 - column) * bordered[top, left] + column * bordered[top, left + 1]
    lower = (1 - column) * bordered[top + 1, left] + column * bordered[top + 1, left + 1]
    return (1 - row) * upper + row * lower


def _smooth_noise(random: np.random.Generator) -> np.ndarray:
    """A background with light and dark parts, float (32, 32) from 0 to 1."""
    steps = np.linspace(0, 4, SIZE)
    between = np.maximum(0, 1 - np.abs(steps[:, None] - np.arange(5)))  # linear interpolation of five values
    return between @ random.uniform(0, 1, (5, 5)) @ between.T


class MovingDigits(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """7,600 clips of 10 to 16 frames: 6,000 to train on, 600 to validate, 1,000 to test."""

    name = "moving_digits"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Ten digits, ten actions."}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Handwritten digits that move, turn, grow, shrink and bounce before noise, one in each clip, with the"
                " action as label and a sentence as caption. The 1,797 images of digits come with scikit-learn, which"
                " does not say who wrote which: no image is in two splits, but its writer may be."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "frames": tfds.features.Tensor(shape=(None, SIZE, SIZE), dtype=np.uint8, encoding="bytes"),
                    "label": tfds.features.ClassLabel(names=list(ACTIONS)),
                    "caption": tfds.features.Text(),
                }
            ),
            supervised_keys=("frames", "label"),
            homepage="https://archive.ics.uci.edu/dataset/80",
            license=(
                "Made on this machine. The images: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI"
                " Machine Learning Repository, CC BY 4.0."
            ),
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        from sklearn.datasets import load_digits

        images, numbers = load_digits(return_X_y=True)
        hashes = [text_hash(image.astype(np.uint8).tobytes(), seed=0) for image in images]
        parts = divide(hashes, numbers, **_HELD_OUT)
        return {
            split: self._generate_examples(split, images[parts == place], numbers[parts == place])
            for place, split in enumerate(SPLITS)
        }

    def _generate_examples(self, split: str, images: np.ndarray, numbers: np.ndarray) -> Iterator[tuple[int, dict]]:
        random = np.random.default_rng(list(split.encode()))
        order = np.concatenate([random.permutation(len(images)) for _ in range(-(-SIZES[split] // len(images)))])
        for number, place in enumerate(order[: SIZES[split]].tolist()):
            action = list(ACTIONS)[int(random.integers(len(ACTIONS)))]
            yield (
                number,
                {
                    "frames": clip(images[place].reshape(8, 8) / 16, action, random),
                    "label": action,
                    "caption": caption(int(numbers[place]), action),
                },
            )
