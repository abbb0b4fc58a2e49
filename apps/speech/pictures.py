"""The picture of a recording: what a classifier hears when."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.figure
import numpy as np

from rnnapps.audio import LogMel
from rnnapps.audio.spectrogram import draw_spectrogram
from rnnapps.training.plots import STYLE, plain, save


def plot_stream(
    log_mel: LogMel,
    classes: Sequence[str],
    samples: np.ndarray,
    times: Sequence[float],
    probabilities: Sequence[np.ndarray] | np.ndarray,
    title: str,
    path: Path,
) -> None:
    """Draws the log-mel spectrogram of a recording above the class probabilities over time, and writes a PNG.

    Args:
        log_mel: The layer that makes the frames of the spectrogram.
        classes: The names of the classes.
        samples: The recording at the layer's rate, float (samples,).
        times: The times of the answers, in seconds.
        probabilities: The answers, (classes,) each.
        title: Title of the picture.
        path: The PNG file to write.
    """
    seconds = len(samples) / log_mel.sample_rate
    answers = np.array(probabilities)
    most_probable = np.argsort(-answers.max(axis=0))[:8]  # more curves could not be told apart
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(9, 5), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        draw_spectrogram(above, log_mel, samples)
        above.set_title(plain(title), loc="left")
        for number in most_probable:
            below.plot(times, answers[:, number], label=plain(classes[number]), linewidth=2, marker="o", markersize=3)
        below.set(xlim=(0, seconds), ylim=(0, 1.02), xlabel="seconds", ylabel="probability")
        below.grid(axis="y", color="#e6e9ee")
        below.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=9)
        save(figure, path)
