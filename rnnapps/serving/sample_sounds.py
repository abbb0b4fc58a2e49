"""Recordings for the check of an export: made-up sounds, and the kinds of WAV files."""

from __future__ import annotations

import numpy as np

from rnnapps.audio.samples import int16

SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT")
RATES = (8000, 16000, 22050, 44100, 48000)


def sample_sounds(rate: int, shortest: int) -> list[np.ndarray]:
    """Noise, a rising tone, one of `shortest` samples, and silence: int16 (samples,) each."""
    time = np.arange(rate, dtype=np.float64) / rate
    noise = np.random.default_rng(0).standard_normal(rate) / 10
    tone = np.sin(2 * np.pi * (200 + 400 * time) * time) / 2
    sounds = (noise, tone, tone[:shortest], np.zeros(rate // 2))
    return [int16(sound) for sound in sounds]
