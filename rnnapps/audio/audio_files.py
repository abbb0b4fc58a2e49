"""Recordings on disk -> one channel of float32 samples at the rate that a model wants."""

import io
import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from rnnapps.errors import UserError

_LOWEST, _HIGHEST = 1_000, 768_000  # Hz; a header that says anything else is broken


class AudioError(UserError):
    """A recording that cannot be used, and why."""


def read_audio(source: str | os.PathLike | bytes, sample_rate: int) -> np.ndarray:
    """Reads a recording, mixes its channels and resamples it.

    Args:
      source: a file in any format that libsndfile knows (WAV, FLAC, OGG, ...), or the bytes of one.
      sample_rate: samples a second wanted, in Hz.

    Returns:
      float32 (samples,), about -1 to 1; at least one sample, all of them finite.

    Raises:
      AudioError: the file is missing, empty or not a recording; the message names it.

    Example:
      >>> file = io.BytesIO()
      >>> soundfile.write(file, np.zeros((44100, 2)), 44100, format="WAV")
      >>> read_audio(file.getvalue(), 16000).shape
      (16000,)
    """
    name = "audio" if isinstance(source, bytes) else os.fspath(source)
    try:
        data = source if isinstance(source, bytes) else Path(source).read_bytes()
    except OSError as error:
        raise AudioError(f"{name}: cannot be read: {error.strerror or error}") from None
    if not data:
        raise AudioError(f"{name}: the file is empty")
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().rstrip(".")
        raise AudioError(f"{name}: not a recording in a known format (WAV, FLAC, OGG): {reason}") from None
    if not len(samples):
        raise AudioError(f"{name}: the recording has no samples")
    if not _LOWEST <= rate <= _HIGHEST:
        raise AudioError(f"{name}: its header says {rate} Hz; from {_LOWEST} to {_HIGHEST} Hz can be read")
    mono = samples.mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError(f"{name}: some samples are not numbers")
    if rate == sample_rate:
        return mono
    resampled = soxr.resample(mono, rate, sample_rate)
    # Of a recording shorter than a sample at the new rate, something must be left.
    return resampled if len(resampled) else mono[:1]
