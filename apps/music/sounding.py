"""A tune as others can use it: held notes, MIDI, ABC notation, and sound from an additive synthesiser."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnnapps.apps.music.keys import NAMES
from rnnapps.extras import from_extra
from rnnapps.files import replacing

RATE = 44_100  # Hz
_PARTIALS = 8
_ATTACK, _RELEASE = 0.02, 0.12  # seconds
# Naturals are written out: an accidental holds for the rest of its bar.
_SHARP_NAMES = ("=C", "^C", "=D", "^D", "=E", "=F", "^F", "=G", "^G", "=A", "^A", "=B")
_FLAT_NAMES = ("=C", "_D", "=D", "_E", "=E", "=F", "_G", "=G", "_A", "=A", "_B", "=B")
_FLAT_KEYS = (5, 10, 3, 8, 1)  # major keys that are written with flats

Steps = Sequence[Sequence[int]]


def held_notes(steps: Steps) -> list[tuple[int, int, int]]:
    """Notes of time steps: begin, length in steps, pitch. A pitch that goes on in the next step is one note.

    Example:
        >>> held_notes([(60, 64), (60,), (), (60,)])
        [(0, 1, 64), (0, 2, 60), (3, 1, 60)]
    """
    notes: list[tuple[int, int, int]] = []
    sounding: dict[int, int] = {}
    for number, pitches in enumerate([*steps, ()]):
        for pitch in [pitch for pitch in sounding if pitch not in pitches]:
            begin = sounding.pop(pitch)
            notes.append((begin, number - begin, pitch))
        for pitch in pitches:
            sounding.setdefault(pitch, number)
    return sorted(notes)


def write_midi(steps: Steps, step_quarters: float, metre: str, tempo: float, path: Path) -> None:
    """Writes a tune as a MIDI file.

    Args:
        steps: The pitches of each time step.
        step_quarters: Length of a time step in quarter notes.
        metre: Time signature.
        tempo: Quarter notes a minute.
        path: Where the file goes.

    Raises:
        UserError: music21 is not installed.
    """
    music21 = from_extra("music21", extra="music", purpose="writing MIDI")
    part = music21.stream.Part()
    part.insert(0, music21.tempo.MetronomeMark(number=tempo))
    part.insert(0, music21.meter.TimeSignature(metre))
    for begin, length, pitch in held_notes(steps):
        part.insert(begin * step_quarters, music21.note.Note(pitch, quarterLength=length * step_quarters))
    with replacing(path) as partial:
        part.write("midi", fp=str(partial))


def write_abc(steps: Steps, step_quarters: float, metre: str, key: str | None, tempo: float, path: Path) -> None:
    """Writes a tune in ABC notation, one chord a time step, with ties where a note goes on; see `write_midi`.

    Args:
        key: Its name, such as "Bb major", which decides how notes are spelt.
    """
    text = abc_text(steps, step_quarters, metre, key, tempo)
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def abc_text(steps: Steps, step_quarters: float, metre: str, key: str | None, tempo: float) -> str:
    """A tune in ABC notation.

    Example:
        >>> print(abc_text([(60, 64), (60, 66)], 1.0, "2/4", "G major", 90))
        X:1
        T:Tune
        M:2/4
        L:1/4
        Q:1/4=90
        K:C % G major, with every accidental written out
        [=C-=E] [=C^F] |
        <BLANKLINE>
    """
    tonic, mode = (key or "C major").split()
    major = (NAMES[f"{tonic} {mode}"] + (3 if mode == "minor" else 0)) % 12
    names = _FLAT_NAMES if major in _FLAT_KEYS else _SHARP_NAMES
    beats, kind = map(int, metre.split("/"))
    bar = max(1, round(beats * 4 / kind / step_quarters))
    numerator, denominator = (step_quarters / 4).as_integer_ratio()
    lines = ["X:1", "T:Tune", f"M:{metre}", f"L:{numerator}/{denominator}", f"Q:1/4={tempo:g}"]
    lines.append("K:C" + (f" % {key}, with every accidental written out" if key else ""))
    words = []
    for number, (now, after) in enumerate(itertools.zip_longest(steps, steps[1:], fillvalue=())):
        chord = "".join(_abc_note(pitch, names) + "-" * (pitch in after) for pitch in now)
        words.append(f"[{chord}]" if chord else "z")
        if (number + 1) % bar == 0 or number + 1 == len(steps):
            words.append("|\n" if (number + 1) % (4 * bar) == 0 or number + 1 == len(steps) else "|")
    return "\n".join(lines) + "\n" + " ".join(words).replace("\n ", "\n")


def _abc_note(pitch: int, names: Sequence[str]) -> str:
    octave, name = pitch // 12 - 5, names[pitch % 12]
    if octave > 0:
        return name.lower() + "'" * (octave - 1)
    return name + "," * -octave


def synthesised(steps: Steps, step_quarters: float, tempo: float) -> np.ndarray:
    """The sound of a tune: a sum of harmonic partials for each held note, which fade, the higher ones faster.

    Args:
        steps: The pitches of each time step.
        step_quarters: Length of a time step in quarter notes.
        tempo: Quarter notes a minute.

    Returns:
        Float32 `(samples,)` at 44.1 kHz, between -1 and 1.
    """
    seconds = step_quarters * 60 / tempo
    sound = np.zeros(int((len(steps) * seconds + 1) * RATE) + 1, np.float32)
    for begin, length, pitch in held_notes(steps):
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        time = np.arange(int((length * seconds + _RELEASE) * RATE)) / RATE
        tone = np.zeros(len(time))
        for partial in range(1, _PARTIALS + 1):
            if partial * frequency < RATE / 2:
                fading = np.exp(-time * (0.5 + 0.3 * partial))
                tone += np.sin(2 * np.pi * partial * frequency * time) * fading / partial**1.5
        envelope = np.minimum(time / _ATTACK, 1) * np.clip((length * seconds + _RELEASE - time) / _RELEASE, 0, 1)
        first = int(begin * seconds * RATE)
        sound[first : first + len(tone)] += (tone * envelope).astype(np.float32)
    return sound * (0.9 / max(float(np.abs(sound).max()), 1e-9))


def write_wav(steps: Steps, step_quarters: float, tempo: float, path: Path) -> None:
    """Writes the sound of a tune as a WAV file."""
    import soundfile

    with replacing(path) as partial:
        soundfile.write(partial, synthesised(steps, step_quarters, tempo), RATE, format="WAV", subtype="PCM_16")
