"""Samples as integers."""

import numpy as np


def int16(samples: np.ndarray) -> np.ndarray:
    """Samples from -1 to 1 as 16-bit integers; values outside are clipped.

    Example:
        >>> int16(np.array([0.0, 0.5, -2.0])).tolist()
        [0, 16384, -32767]
    """
    return np.round(np.clip(samples, -1, 1) * (2**15 - 1)).astype(np.int16)
