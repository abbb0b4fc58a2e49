"""Audio files to one channel of float32 samples at the sample rate of a model."""

import io
import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

from rnnapps.errors import UserError

LOWEST_RATE, HIGHEST_RATE = 1_000, 768_000  # Hz; a header that says anything else is broken
# Samples lie between -1 and 1, and a decoder overshoots a little. Floats of some programs lie between -32768 and 32767.
HIGHEST_PEAK, SIXTEEN_BITS = 8.0, 2.0**15
LOUDEST = 1e9  # no power of a smaller sample overflows
TOO_LOUD = f"some samples are NaN or infinite, or larger than {LOUDEST:,.0f}"


BEYOND = 0.1  # seconds by which the end of a part may lie behind that of its recording: both are rounded


class AudioError(UserError):
    """A recording that cannot be used; the message says why."""


def read_audio(source: str | os.PathLike | bytes, sample_rate: int) -> np.ndarray:
    """Reads a recording, mixes its channels and resamples it.

    Args:
        source: A file in any format that libsndfile reads (WAV, FLAC, OGG, ...), or the bytes of one.
        sample_rate: Sample rate to resample to, in Hz.

    Returns:
        Float32 `(samples,)`, about -1 to 1; at least one sample, all of them finite. Floats that reach beyond 8 are
        taken to be in units of 16-bit integers.

    Raises:
        AudioError: The file is missing, empty or not a recording; the message names it.

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
    check_whole(data, name)
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        reason = error.error_string.strip().rstrip(".")
        raise AudioError(f"{name}: not a recording in a known format (WAV, FLAC, OGG, MP3): {reason}") from None
    if not len(samples):
        raise AudioError(f"{name}: the recording has no samples")
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        raise AudioError(f"{name}: the sample rate must be from {LOWEST_RATE} to {HIGHEST_RATE} Hz, got {rate}")
    mono = samples.mean(axis=1)
    if not (np.abs(mono) <= LOUDEST).all():
        raise AudioError(f"{name}: {TOO_LOUD}")
    if np.abs(mono).max() > HIGHEST_PEAK:
        mono = mono / np.float32(SIXTEEN_BITS)
    if rate == sample_rate:
        return mono
    resampled = soxr.resample(mono, rate, sample_rate)
    # A recording shorter than one sample at the new rate keeps one sample.
    return resampled if len(resampled) else mono[:1]


def check_whole(content: bytes, name: str) -> None:
    """Refuses a file that is empty, and a WAV file of which a part is missing, as after a download that broke off.

    Args:
        content: The bytes of the file.
        name: What to call it.

    Raises:
        AudioError: It is not whole.
    """
    if not content:
        raise AudioError(f"{name}: the file is empty")
    if content[:4] != b"RIFF" or len(content) < 8:
        return
    announced = 8 + int.from_bytes(content[4:8], "little")
    # Programs that write a stream do not know its length, and announce as much as there can be, or nothing.
    if announced < 2**31 - 2**16 and len(content) < 0.99 * announced:
        raise AudioError(
            f"{name}: the file is cut off: {len(content):,} of {announced:,} bytes; copy it again, or repair its header"
        )
