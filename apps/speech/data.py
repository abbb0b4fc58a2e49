"""From labelled recordings to batches of waveforms."""

from rnnapps.audio import BackgroundNoise
from rnnapps.datasets import Recordings, WaveformBatches

_BUCKETS = 6  # padded lengths


def labelled_batches(
    split: Recordings, batch_size: int, *, seed: int | None = None, noise: BackgroundNoise | None = None
) -> WaveformBatches:
    """Batches of waveforms and class numbers; see `WaveformBatches`."""
    return WaveformBatches(split.waveforms, split.labels, batch_size, buckets=_BUCKETS, seed=seed, noise=noise)
