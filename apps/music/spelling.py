"""How pitches are spelt in a key: letter, accidental and octave."""

from __future__ import annotations

from rnnapps.apps.music.keys import NAMES

FLAT_KEYS = (5, 10, 3, 8, 1)  # major keys written with flats
_LETTERS = "CDEFGAB"
_NATURAL = dict(zip(_LETTERS, (0, 2, 4, 5, 7, 9, 11), strict=True))
_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)


def signature(key: str | None) -> dict[str, int]:
    """The accidental of each letter in the signature of a key; none for None.

    Example:
        >>> [letter for letter, accidental in signature("G minor").items() if accidental == -1]
        ['B', 'E']
    """
    return dict(_scale(key or "C major"))


def spelt(pitch: int, key: str | None) -> tuple[str, int, int]:
    """Letter, accidental and octave of a MIDI pitch.

    Notes of the key are spelt as in its signature; others as a raised degree of the scale (in minor the seventh or
    sixth, in major the fourth, then the first, second and fifth), or as a lowered one.

    Example:
        >>> spelt(66, "G minor"), spelt(70, "C major"), spelt(71, "C minor"), spelt(61, None)
        (('F', 1, 4), ('B', -1, 4), ('B', 0, 4), ('C', 1, 4))
    """
    scale = _scale(key or "C major")
    degrees = [(degree, 0) for degree in range(7)]
    if key is not None and key.endswith("minor"):
        degrees += [(6, 1), (5, 1), (2, 1), (3, 1), (1, -1)]
    else:
        degrees += [(3, 1), (6, -1), (0, 1), (4, 1), (2, -1)]
    for degree, change in degrees:
        letter, accidental = scale[degree]
        accidental += change
        if (_NATURAL[letter] + accidental - pitch) % 12 == 0:
            return letter, accidental, (pitch - accidental) // 12 - 1
    raise AssertionError(f"no spelling of {pitch} in {key}")


def _scale(key: str) -> list[tuple[str, int]]:
    """Letter and accidental of each degree, from the tonic."""
    tonic, mode = key.split()
    first, number = _LETTERS.index(tonic[0]), NAMES[key] % 12
    found = []
    for degree, interval in enumerate(_MINOR if mode == "minor" else _MAJOR):
        letter = _LETTERS[(first + degree) % 7]
        found.append((letter, (number + interval - _NATURAL[letter] + 6) % 12 - 6))
    return found
