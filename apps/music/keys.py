"""Keys: their names, the notes that belong to them, and the key of a piece by its notes. No TensorFlow.

Keys have numbers: 0 to 11 for C major, C# major and so on up to B major, 12 to 23 for the minor ones.

Reference:
    Krumhansl, Cognitive foundations of musical pitch, 1990, chapter 4 (profiles and the correlation with them).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rnnapps.errors import UserError

KEYS = 24
_SHARPS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_SCALES = {
    "major": {0, 2, 4, 5, 7, 9, 11},
    "minor": {0, 2, 3, 5, 7, 8, 9, 10, 11},  # natural, harmonic and melodic together
}

NAMES: dict[str, int] = {
    f"{tonic} {mode}": place + 12 * (mode == "minor")
    for mode in ("major", "minor")
    for tonics in (_SHARPS, _FLATS)
    for place, tonic in enumerate(tonics)
}


def key_name(key: int) -> str:
    """The usual name of a key.

    Example:
        >>> key_name(10), key_name(18)
        ('Bb major', 'F# minor')
    """
    sharp = (key % 12) in ((1, 6, 8) if key >= 12 else (6,))
    return f"{(_SHARPS if sharp else _FLATS)[key % 12]} {'minor' if key >= 12 else 'major'}"


def parsed_key(text: str) -> str:
    """The name of a key that a user has written, as `NAMES` has it.

    Raises:
        UserError: It is not the name of a key.

    Example:
        >>> parsed_key("g"), parsed_key("f# MINOR")
        ('G major', 'F# minor')
    """
    words = text.split() or [""]
    name = f"{words[0][:1].upper()}{words[0][1:]} {(words[1] if len(words) > 1 else 'major').lower()}"
    if name not in NAMES or len(words) > 2:
        raise UserError(f'--key must be like "G major", "Bb major" or "F# minor", got {text!r}')
    return name


def key_of(pitches: Iterable[int]) -> int | None:
    """The key whose profile correlates best with how often each pitch class occurs; None where there are no notes.

    Example:
        >>> key_name(key_of([67, 69, 71, 72, 74, 76, 78, 79, 71, 67, 62, 67]))
        'G major'
    """
    counts = np.bincount([pitch % 12 for pitch in pitches], minlength=12).astype(np.float64)
    if not counts.any():
        return None
    profiles = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    return int(np.argmax([_correlation(counts, profile) for profile in profiles]))


def transposed_key(key: int, semitones: int) -> int:
    """A key some semitones higher."""
    return (key + semitones) % 12 + key // 12 * 12


def share_in_key(pitches: Iterable[int], key: int) -> float:
    """The share of notes that belong to the scale of a key; a minor key has both sixths and both sevenths.

    Example:
        >>> share_in_key([60, 64, 67, 66], 0)
        0.75
    """
    scale = _SCALES["minor" if key >= 12 else "major"]
    found = [(pitch - key) % 12 in scale for pitch in pitches]
    return sum(found) / len(found) if found else 0.0


def _correlation(counts: np.ndarray, profile: np.ndarray) -> float:
    counts, profile = counts - counts.mean(), profile - profile.mean()
    return float(counts @ profile / max(np.sqrt((counts @ counts) * (profile @ profile)), 1e-12))
