"""Pictures of clips: frames, how much the model attended to each, and the words that it wrote."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
import matplotlib.axes
import matplotlib.figure
import numpy as np
import tensorflow as tf

from rnnapps.apps.video.model import ActionClassifier, Captioner, VideoModel
from rnnapps.apps.video.words import framed
from rnnapps.training.plots import STYLE, TRAIN, plain, save

_COLUMNS = 16  # maximum number of frames in a strip
_INCHES = 0.62  # height and width of a frame


class Panel(NamedTuple):
    """What is drawn for a clip.

    Attributes:
        title: A line above it.
        frames: uint8 `(frames, size, size, 3)`.
        words: The words of a caption; empty for a classifier.
        attention: Float `(words, frames)`, or `(1, frames)` for a classifier; each row's sum is 1.
    """

    title: str
    frames: np.ndarray
    words: list[str]
    attention: np.ndarray


def panel(model: VideoModel, title: str, frames: np.ndarray, answer: str) -> Panel:
    """A clip with a title, and the attention behind the model's answer."""
    clip, length = tf.constant(frames[None]), tf.constant([len(frames)])
    if isinstance(model, Captioner):
        ids = framed([answer.encode()], model.words)[:, :-1]  # each word attends before it is written
        weights = model.attended(tf.constant(ids), *model.encode(clip, length))[0].numpy()
        words = answer.split()
        return Panel(title, frames, words, weights[: len(words)])
    assert isinstance(model, ActionClassifier)
    gates = model.probabilities(clip, length)[1].numpy()
    return Panel(title, frames, [], gates / gates.sum())


def draw_panels(panels: Sequence[Panel], path: Path) -> None:
    """Draws clips below each other, and writes a PNG.

    For a clip with many frames, evenly spaced ones are shown; the attention to those in between is added to theirs.

    Args:
        panels: The clips.
        path: The PNG file to write.
    """
    heights = [height for one in panels for height in (_INCHES, max(0.24 * len(one.words), 0.6))]
    columns = max(min(len(one.frames), _COLUMNS) for one in panels)
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(
            figsize=(_INCHES * columns + 1.4, sum(heights) + 0.75 * len(panels)), layout="constrained"
        )
        axes = figure.subplots(2 * len(panels), 1, squeeze=False, height_ratios=heights)[:, 0]
        for place, one in enumerate(panels):
            begins = np.unique(np.linspace(0, len(one.frames), _COLUMNS, endpoint=False).astype(int))
            _draw_frames(axes[2 * place], one, begins, columns)
            _draw_attention(axes[2 * place + 1], one, np.add.reduceat(one.attention, begins, axis=1), begins, columns)
        save(figure, path)


def _draw_frames(axes: matplotlib.axes.Axes, one: Panel, begins: np.ndarray, columns: int) -> None:
    for column, frame in enumerate(one.frames[begins]):
        axes.imshow(frame, extent=(column - 0.47, column + 0.47, 0, 1), aspect="auto", interpolation="nearest")
    axes.set(xlim=(-0.5, columns - 0.5), ylim=(0, 1))
    axes.set_title(plain(one.title), loc="left")
    axes.axis("off")


def _draw_attention(
    axes: matplotlib.axes.Axes, one: Panel, shares: np.ndarray, begins: np.ndarray, columns: int
) -> None:
    places = range(len(begins))
    if one.words:
        # Even attention is pale: a dark frame got three times its share, or more.
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=max(shares.max(), min(3 / len(begins), 1)), aspect="auto")
        axes.set_yticks(range(len(one.words)), [plain(word) for word in one.words])
        axes.set_yticks(np.arange(len(one.words) - 1) + 0.5, minor=True)
        axes.grid(axis="y", which="minor", color="white", linewidth=2)
    else:
        axes.bar(places, shares[0], width=0.94, color=TRAIN)
        axes.set_ylabel("attention")
        axes.set_yticks([0, shares.max()], ["0", f"{shares.max():.0%}"])
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.set_xticks(places, [str(begin + 1) for begin in begins])
    axes.tick_params(which="both", length=0, labelsize=9)
    axes.set_xlim(-0.5, columns - 0.5)
