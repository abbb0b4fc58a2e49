"""The voices of the embedded recordings: variants of eSpeak NG, and clips of them with noise and another loudness."""

import numpy as np
import soxr

from rnnapps.audio.samples import int16
from rnnapps.datasets.embedded.espeak import Manner, say

SAMPLE_RATE = 16_000  # Hz
ACCENTS = (
    *("en", "en-us", "en-gb-x-rp", "en-gb-scotland"),
    *("en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-us-nyc", "en-029"),
)
# eSpeak's variants less whispers, robots, monsters and those with the formants of another (iven2, steph2, ...).
VOICES = {
    "train": (
        *("Alex", "Andrea", "Andy", "Annie", "Diogo", "Gene", "Henrique", "Hugo", "Jacky", "Lee", "Marco", "Mario"),
        *("Michael", "Mike", "Nguyen", "Reed", "RicishayMax", "Storm", "Tweaky", "adam", "anika", "announcer"),
        *("antonio", "aunty", "benjamin", "caleb", "ed", "edward", "f1", "f2", "f4", "fast", "grandpa", "gustave"),
        *("ian", "iven", "john", "kaukovalta", "klatt", "klatt2", "klatt4", "klatt5", "klatt6", "m1", "m2", "m4"),
        *("m6", "m8", "marcelo", "michel", "norbert", "paul", "pedro", "quincy", "robert", "sandro", "shelby", "steph"),
    ),
    "validation": ("Denis", "f5", "m5", "miguel", "rob", "RicishayMax2", "robosoft6", "victor", "klatt3", "belinda"),
    "test": (
        *("Alicia", "boris", "david", "f3", "grandma", "linda", "m3", "m7"),
        *("max", "Mr serious", "pablo", "travis", "zac", "mike2", "robosoft8", "croak"),
    ),
}


def manner(voice: str, random: np.random.Generator, slowest: int = 120, fastest: int = 220) -> Manner:
    """A random manner of speaking of a voice: accent, tempo, pitch and liveliness.

    Args:
        voice: A variant of eSpeak NG.
        random: Draws all that varies.
        slowest: Least words a minute.
        fastest: Most words a minute.
    """
    return Manner(
        f"{random.choice(ACCENTS)}+{voice}",
        words_per_minute=int(random.integers(slowest, fastest + 1)),
        pitch=int(random.integers(30, 71)),
        pitch_range=int(random.integers(30, 71)),
    )


def recorded(text: str, how: Manner, random: np.random.Generator) -> np.ndarray:
    """A clip of a text: int16 (samples,) at 16 kHz, with silence around it, noise, and a random loudness.

    Args:
        text: What is said.
        how: How it is said.
        random: Draws silence, noise and loudness.
    """
    spoken, rate = say(text, how)
    speech = soxr.resample(spoken.astype(np.float32) / 2**15, rate, SAMPLE_RATE)
    speech /= np.sqrt(np.mean(np.square(speech))) + 1e-9
    before, after = (int(random.uniform(0, 0.25) * SAMPLE_RATE) for _ in range(2))
    speech = np.pad(speech, (before, after))
    # Signal to noise: 5 to 45 dB.
    speech += coloured_noise(len(speech), random) * 10 ** (-random.uniform(5, 45) / 20)
    return int16(speech * 10 ** (random.uniform(-40, -16) / 20))


def coloured_noise(size: int, random: np.random.Generator) -> np.ndarray:
    """Noise of mean square 1 with a colour between white (power the same at all frequencies) and brown (1 / f^2)."""
    period = 2 ** max(1, (size - 1).bit_length())  # Fourier transforms are fastest for powers of two
    phases = np.exp(2j * np.pi * random.random(period // 2))
    spectrum = phases * np.arange(1, period // 2 + 1) ** (-random.uniform(0, 2) / 2)
    noise = np.fft.irfft(np.concatenate([[0], spectrum]), period)[:size]
    return (noise / np.sqrt(np.mean(np.square(noise)))).astype(np.float32)
