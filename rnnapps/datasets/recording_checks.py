"""Recordings as data sets keep them: 16 bits a sample, long enough, and with sound in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from rnnapps.audio.samples import int16
from rnnapps.errors import UserError

_SHORTEST_SECONDS = 0.05


def checked_recording(samples: np.ndarray, sample_rate: int, path: Path) -> np.ndarray:
    """The samples of a recording, float from -1 to 1, as int16.

    Args:
        samples: Mono, `(samples,)`.
        sample_rate: In Hz.
        path: Where they come from, for messages.

    Raises:
        UserError: They are too few, or silent.
    """
    if len(samples) < _SHORTEST_SECONDS * sample_rate:
        shortest = _SHORTEST_SECONDS * 1000
        raise UserError(f"{path}: needs at least {shortest:.0f} ms, got {len(samples) / sample_rate * 1000:.3g} ms")
    if np.ptp(samples) < 2 / 2**15:
        raise UserError(f"{path}: the recording is silent")
    return int16(samples)
