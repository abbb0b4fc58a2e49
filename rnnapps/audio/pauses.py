"""Long recordings cut where nobody speaks."""

from __future__ import annotations

import itertools

import numpy as np

_FRAME_SECONDS = 0.02
_PAUSE_SECONDS = 0.2  # the power is averaged over this time
_EARLIEST = 0.4  # of the longest part: no cut before it


def cut_at_pauses(samples: np.ndarray, sample_rate: int, longest_seconds: float) -> list[tuple[int, int]]:
    """Divides a recording into parts, each cut where it is quietest.

    Args:
        samples: The recording, `(samples,)`.
        sample_rate: In Hz.
        longest_seconds: The longest part.

    Returns:
        The first sample of each part and the one after its last; together they are the whole recording.

    Example:
        >>> samples = np.ones(1000)
        >>> samples[680:720] = 0
        >>> cut_at_pauses(samples, 100, longest_seconds=8)
        [(0, 700), (700, 1000)]
    """
    frame = max(1, round(_FRAME_SECONDS * sample_rate))
    most = round(longest_seconds * sample_rate)
    longest = max(1, most // frame)  # in frames
    count = len(samples) // frame
    power = np.square(samples[: count * frame].astype(np.float64)).reshape(count, frame).mean(axis=1)
    half = round(_PAUSE_SECONDS / _FRAME_SECONDS / 2)
    sums = np.concatenate([[0.0], np.cumsum(power)])
    places = np.arange(count + 1)
    # The power around the beginning of each frame, where a cut would be.
    around = sums[np.minimum(places + half, count)] - sums[np.maximum(places - half, 0)]
    cuts = [0]
    while count > cuts[-1] + 1 and len(samples) - cuts[-1] * frame > most:
        begin, end = cuts[-1] + max(1, round(_EARLIEST * longest)), min(cuts[-1] + longest, count)
        quiet = around[begin : end + 1]
        # The middle one of equally quiet places.
        quietest = np.flatnonzero(quiet <= quiet.min() + 1e-12)
        cuts.append(begin + int(quietest[len(quietest) // 2]))
    edges = [cut * frame for cut in cuts] + [len(samples)]
    return list(itertools.pairwise(edges))
