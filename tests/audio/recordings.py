"""Recordings for tests: words of a made-up language of two tones."""

import io

import numpy as np
import soundfile

RATE = 8000


def tone(kind: str, random: np.random.Generator, rate: int = RATE) -> np.ndarray:
    """A clip of class "low", "high" or "rising", float32, a quarter to half a second."""
    seconds = random.uniform(0.25, 0.5)
    time = np.arange(int(seconds * rate)) / rate
    begin, end = {"low": (400, 400), "high": (1800, 1800), "rising": (400, 1800)}[kind]
    begin, end = begin * random.uniform(0.9, 1.1), end * random.uniform(0.9, 1.1)
    phase = 2 * np.pi * (begin * time + (end - begin) * time**2 / (2 * seconds))
    clip = 0.3 * np.sin(phase) * np.hanning(len(time)) ** 0.25
    return (clip + 0.01 * random.standard_normal(len(time))).astype(np.float32)


def wav_bytes(samples: np.ndarray, rate: int = RATE, subtype: str = "PCM_16", form: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype=subtype, format=form)
    return file.getvalue()


def speech_like(samples: int, seed: int = 0) -> np.ndarray:
    """Noise without the highest frequencies, float32 (samples,)."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft(random.standard_normal(samples))
    spectrum[int(len(spectrum) * 0.3) :] = 0
    noise = np.fft.irfft(spectrum, samples)
    return (0.1 * noise / noise.std()).astype(np.float32)
