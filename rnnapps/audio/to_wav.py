"""Recordings as the bytes of WAV files that `decode_wav` reads. No TensorFlow: clients of servers use it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile

from rnnapps.audio.audio_files import BEYOND, AudioError, check_whole

# What the WAV decoder in the graph reads; everything else is converted here.
_READ_AS_IT_IS = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")


def wav_bytes(path: Path, start: float = 0.0, end: float | None = None) -> bytes:
    """The bytes of a WAV file, unchanged, or of any other recording or a part of one, converted to WAV.

    Args:
        path: The recording.
        start: Where the part begins, in seconds.
        end: Where it ends; None for the end of the recording.

    Raises:
        AudioError: The file cannot be read, is not a recording, or has no such part.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror or error}") from None
    check_whole(content, str(path))
    whole = not start and end is None
    if whole and content[:4] == b"RIFF" and _plain(content):
        return content
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            rate = file.samplerate
            if not (start >= 0 and (end is None or (end > start and round((end - start) * rate) > 0))):
                raise AudioError(f"{path}: a part begins at 0 s or later and ends after that, got {start} to {end}")
            if start * rate >= max(1, file.frames):
                raise AudioError(f"{path}: 'start' is {start:g} s, but the file is {file.frames / rate:.2f} s long")
            if end is not None and end > file.frames / rate + BEYOND:
                raise AudioError(f"{path}: 'end' is {end:g} s, but the file is {file.frames / rate:.2f} s long")
            file.seek(round(start * rate))
            samples = file.read(-1 if end is None else round((end - start) * rate), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise AudioError(f"{path}: not a recording: {error.error_string.rstrip('.')}") from None
    return wav_file(samples, rate)


def wav_file(samples: np.ndarray, rate: int, subtype: str = "FLOAT") -> bytes:
    """The bytes of a WAV file.

    Args:
        samples: Float from -1 to 1, or integers, `(samples,)` or `(samples, channels)`.
        rate: Sample rate for the header, in Hz.
        subtype: Sample format, as libsndfile names it.
    """
    wav = io.BytesIO()
    soundfile.write(wav, samples, rate, format="WAV", subtype=subtype)
    return wav.getvalue()


def _plain(content: bytes) -> bool:
    try:
        return soundfile.info(io.BytesIO(content)).subtype in _READ_AS_IT_IS
    except soundfile.LibsndfileError:
        return True  # the decoder in the graph reports what is wrong
