"""The picture of a recording, as a model hears it."""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnapps.audio.log_mel import LogMel

_MARKS = (250, 500, 1000, 2000, 4000)  # Hz


def draw_spectrogram(axes: Any, log_mel: LogMel, samples: np.ndarray) -> None:
    """Draws the log-mel frames of a recording over its seconds, with marks in Hz.

    Args:
        axes: Matplotlib axes.
        log_mel: The layer that makes the frames.
        samples: The recording at the layer's rate, float `(samples,)`.
    """
    frames, _ = log_mel(samples[None].astype(np.float32))
    bands = frames.shape[2]
    marks = [hertz for hertz in _MARKS if 0 <= log_mel.place(hertz) <= bands]
    seconds = len(samples) / log_mel.sample_rate
    axes.imshow(frames[0].numpy().T, origin="lower", aspect="auto", extent=(0, seconds, 0, bands))
    axes.set_ylabel("Hz")
    axes.set_yticks([log_mel.place(hertz) for hertz in marks], [f"{hertz:,}" for hertz in marks])
