"""A tune in standard formats: MIDI, and ABC notation of chords and of melodies."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from rnnapps.apps.music.keys import NAMES
from rnnapps.apps.music.melody_tokens import BAR, FIRST_LENGTH, FIRST_PITCH, LENGTHS, REST, TIE, abc_pitch
from rnnapps.apps.music.spelling import FLAT_KEYS, signature, spelt
from rnnapps.datasets.pieces import LOWEST, TICKS, Note, bar_length
from rnnapps.extras import from_extra
from rnnapps.files import replacing

# Naturals are written out: an accidental holds for the rest of its bar.
_SHARP_NAMES = ("=C", "^C", "=D", "^D", "=E", "=F", "^F", "=G", "^G", "=A", "^A", "=B")
_FLAT_NAMES = ("=C", "_D", "=D", "_E", "=E", "=F", "_G", "=G", "_A", "=A", "_B", "=B")
_ACCIDENTALS = {-2: "__", -1: "_", 0: "=", 1: "^", 2: "^^"}
_BARS_A_LINE = 4


def write_midi(notes: Sequence[Note], metre: str, key: str | None, tempo: float, path: Path) -> None:
    """Writes a tune as a MIDI file.

    Args:
        notes: Onset, length and pitch of each, in ticks.
        metre: Time signature.
        key: Its name, such as "Bb major"; None for no key signature.
        tempo: Quarter notes per minute.
        path: The file to write.

    Raises:
        UserError: music21 is not installed.
    """
    music21 = from_extra("music21", extra="music", purpose="writing MIDI")
    part = music21.stream.Part()
    part.insert(0, music21.tempo.MetronomeMark(number=tempo))
    part.insert(0, music21.meter.TimeSignature(metre))
    if key is not None:
        tonic, mode = key.split()
        part.insert(0, music21.key.Key(tonic.replace("b", "-"), mode))
    for begin, length, pitch in notes:
        part.insert(Fraction(begin, TICKS), music21.note.Note(pitch, quarterLength=Fraction(length, TICKS)))
    with replacing(path) as partial:
        part.write("midi", fp=str(partial))


def write_text(text: str, path: Path) -> None:
    """Writes a text completely or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def chords_in_abc(
    steps: Sequence[Sequence[int]], step_quarters: float, metre: str, key: str | None, tempo: float
) -> str:
    """A tune of chords in ABC notation, one chord per time step, with ties where a note continues.

    Args:
        steps: The pitches of each time step.
        step_quarters: Length of a time step in quarter notes.
        metre: Time signature.
        key: Its name, such as "Bb major", which decides how notes are spelt.
        tempo: Quarter notes per minute.

    Example:
        >>> print(chords_in_abc([(60, 64), (60, 66)], 1.0, "2/4", "G major", 90))
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
    names = _FLAT_NAMES if major in FLAT_KEYS else _SHARP_NAMES
    bar = max(1, round(bar_length(metre) / TICKS / step_quarters))
    unit = Fraction(step_quarters) / 4
    lines = _header(metre, str(unit), tempo, "C" + (f" % {key}, with every accidental written out" if key else ""))
    words = []
    for number, (now, after) in enumerate(itertools.zip_longest(steps, steps[1:], fillvalue=())):
        chord = "".join(abc_pitch(pitch, names) + "-" * (pitch in after) for pitch in now)
        words.append(f"[{chord}]" if chord else "z")
        if (number + 1) % bar == 0 or number + 1 == len(steps):
            ends = (number + 1) % (_BARS_A_LINE * bar) == 0 or number + 1 == len(steps)
            words.append("|\n" if ends else "|")
    return "\n".join(lines) + "\n" + " ".join(words).replace("\n ", "\n")


def melody_in_abc(tokens: Sequence[int], metre: str, key: str | None, tempo: float) -> str:
    """A melody in ABC notation, with the signature of its key; rests at the beginning make an upbeat.

    Args:
        tokens: See `rnnapps.apps.music.melody_tokens`.
        metre: Time signature.
        key: Its name, such as "Bb major"; None for no signature.
        tempo: Quarter notes per minute.

    Example:
        >>> from rnnapps.apps.music.melody_tokens import parsed
        >>> print(melody_in_abc(parsed("z 1 F 1/2 ^F 1/2 | ^A 1/3 A 1/3 A 1/3 - 1 |"), "2/4", "D minor", 90))
        X:1
        T:Tune
        M:2/4
        L:1/8
        Q:1/4=90
        K:Dm
        F^F | (3BAA- A2 |
        <BLANKLINE>
    """
    flats = signature(key)
    words: list[str] = []
    altered: set[str] = set()  # letters whose accidental in this bar differs from the signature
    pitch: int | None = None
    now = bars = 0
    skipped = 0  # remaining notes of a triplet
    for place, (token, following) in enumerate(itertools.pairwise([*tokens, BAR])):
        if token == BAR:
            now, altered = 0, set()
            if words:
                bars += 1
                words.append(" |\n" if bars % _BARS_A_LINE == 0 else " | ")
        if not REST <= token < FIRST_LENGTH:
            continue
        ticks = LENGTHS[following - FIRST_LENGTH]
        if token == REST and not any(words):
            now += ticks
            continue
        pitch = token - FIRST_PITCH + LOWEST if token >= FIRST_PITCH else pitch if token == TIE else None
        space = " " if now % TICKS == 0 and words and words[-1][-1] not in " \n" else ""
        length = Fraction(ticks, TICKS // 2)
        tuplet = ""
        if length.denominator % 3 == 0:
            length = length * Fraction(3, 2)
            if skipped:
                skipped -= 1
            elif _begins_triplet(tokens[place : place + 6], following):
                tuplet, skipped = "(3", 2
            else:
                tuplet = "(3:2:1"
        name = "z"
        if pitch is not None:
            letter, accidental, octave = spelt(pitch, key)
            written = ""
            if accidental != flats[letter] or letter in altered:
                written = _ACCIDENTALS[accidental]
                altered.add(letter)
            name = written + (letter.lower() + "'" * (octave - 5) if octave > 4 else letter + "," * (4 - octave))
        held = "-" if tokens[place + 2 : place + 3] == [TIE] or tokens[place + 2 : place + 4] == [BAR, TIE] else ""
        words.append(space + tuplet + name + _abc_length(length) + (held if pitch is not None else ""))
        now += ticks
    tonic, mode = (key or "C major").split()
    body = "".join(words).rstrip()
    return "\n".join(_header(metre, "1/8", tempo, tonic + "m" * (mode == "minor"))) + "\n" + body + "\n"


def _begins_triplet(tokens: Sequence[int], length: int) -> bool:
    """Whether three notes of one length follow, without a bar line between them."""
    return len(tokens) == 6 and all(token == length for token in tokens[1::2])


def _abc_length(length: Fraction) -> str:
    """A length in units: "" for 1, "3", "/2", "3/2"."""
    above = "" if length.numerator == 1 else str(length.numerator)
    return above + (f"/{length.denominator}" if length.denominator > 1 else "")


def _header(metre: str, unit: str, tempo: float, key: str) -> list[str]:
    return ["X:1", "T:Tune", f"M:{metre}", f"L:{unit}", f"Q:1/4={tempo:g}", f"K:{key}"]
