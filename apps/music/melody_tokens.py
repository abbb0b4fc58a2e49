"""The tokens of a melody, in the spelling of ABC notation: `^F 1 G 1/2 - | z 2`. No TensorFlow.

A note is a pitch and then its length in quarter notes; `z` is a rest, `-` extends the note before it (a tie), and
`|` ends a bar. Accidentals are always written out, as sharps. Key and metre stand before the first token and are not
part of the text.

Reference:
    Sturm et al., Music transcription modelling and composition using deep learning, 2016 (folk-rnn).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np

from rnnapps.apps.music.keys import KEYS
from rnnapps.datasets.pieces import HIGHEST, LOWEST, TICKS, Note, Piece, bar_length
from rnnapps.errors import UserError

_LETTERS = ("C", "^C", "D", "^D", "E", "F", "^F", "G", "^G", "A", "^A", "B")
# From a 96th to a double whole note: plain, dotted, and triplets. Since 1 is among them, any length is a sum.
LENGTHS = (1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 36, 48, 64, 72, 96, 144, 192)
DEFAULT_METRE = "4/4"  # of a file without a time signature, as in MIDI


def abc_pitch(pitch: int, letters: Sequence[str] = _LETTERS) -> str:
    """The name of a MIDI pitch in ABC notation.

    Args:
        pitch: MIDI pitch.
        letters: The names of the twelve pitch classes.

    Example:
        >>> abc_pitch(60), abc_pitch(73), abc_pitch(84), abc_pitch(47)
        ('C', '^c', "c'", 'B,,')
    """
    octave, name = pitch // 12 - 5, letters[pitch % 12]
    return name.lower() + "'" * (octave - 1) if octave > 0 else name + "," * -octave


PAD, END, BAR, REST, TIE = range(5)
FIRST_PITCH = TIE + 1
FIRST_LENGTH = FIRST_PITCH + HIGHEST - LOWEST + 1
FIRST_KEY = FIRST_LENGTH + len(LENGTHS)  # the first one: an unknown key
FIRST_METRE = FIRST_KEY + KEYS + 1  # the first one: a metre that the model has not learnt
NAMES = (
    *("", "", "|", "z", "-"),
    *(abc_pitch(pitch) for pitch in range(LOWEST, HIGHEST + 1)),
    *(str(Fraction(length, TICKS)) for length in LENGTHS),
)
_NUMBERS = {name: number for number, name in enumerate(NAMES) if name}


def top_voice(notes: np.ndarray) -> list[Note]:
    """The melody of a piece in several voices: the highest of the notes that sound.

    A note is part of it if no higher one sounds when it begins, and lasts until a higher one begins.

    Args:
        notes: Int32 `(notes, 3)`: onset, length, pitch, see `rnnapps.datasets.Piece`.

    Returns:
        Onset, length and pitch of each note, one after the other.

    Example:
        >>> top_voice(np.array([[0, 48, 72], [0, 24, 60], [24, 24, 64], [48, 24, 67], [60, 12, 70]]))
        [(0, 48, 72), (48, 12, 67), (60, 12, 70)]
    """
    found: list[Note] = []
    for onset, length, pitch in sorted(notes.tolist(), key=lambda note: (note[0], -note[2])):
        if found:
            begin, held, before = found[-1]
            if begin + held > onset:
                if begin == onset or before >= pitch:
                    continue
                found[-1] = (begin, onset - begin, before)
        found.append((onset, length, pitch))
    return found


def melody_of(piece: Piece) -> list[int]:
    """The tokens of a piece's top voice, without key and metre: whole bars, each with its bar line.

    An upbeat is the end of a first bar that begins with a rest, and the last bar is filled with a rest, so that all
    bars add up. Silence before the first bar that has a note is left out.
    """
    bar = bar_length(piece.metre or DEFAULT_METRE)
    before = (bar - piece.upbeat) % bar
    notes = [(onset + before, length, pitch) for onset, length, pitch in top_voice(piece.notes)]
    silent = notes[0][0] // bar * bar if notes else 0
    return tokens_of([(onset - silent, length, pitch) for onset, length, pitch in notes], bar)


def tokens_of(notes: Iterable[Note], bar: int) -> list[int]:
    """The tokens of notes, one after the other, in ticks; a rest fills the last bar.

    Args:
        notes: Onset, length, pitch of each.
        bar: Ticks of a bar.

    Example:
        >>> text_of(tokens_of([(0, 24, 60), (36, 24, 66)], 48))
        'C 1 z 1/2 ^F 1/2 | - 1/2 z 3/2 |'
    """
    found: list[int] = []
    now = 0

    def add(kind: int, length: int) -> None:
        nonlocal now
        while length:
            part = max(size for size in LENGTHS if size <= min(length, bar - now % bar))
            found.extend((kind, FIRST_LENGTH + LENGTHS.index(part)))
            now, length = now + part, length - part
            kind = kind if kind == REST else TIE
            if now % bar == 0:
                found.append(BAR)

    for onset, length, pitch in notes:
        add(REST, onset - now)
        add(FIRST_PITCH + pitch - LOWEST, length)
    if now % bar:
        add(REST, bar - now % bar)
    return found


def notes_of(tokens: Iterable[int]) -> tuple[list[Note], list[int]]:
    """The notes that tokens spell, and the length of each bar, in ticks; the last bar may have no bar line.

    Example:
        >>> notes_of(parsed("C 1 z 1/2 ^F 1/2 | - 1/2"))
        ([(0, 24, 60), (36, 24, 66)], [48, 12])
    """
    notes: list[Note] = []
    bars, now, kind = [0], 0, REST
    for token in tokens:
        if token == BAR:
            bars.append(0)
        elif FIRST_LENGTH <= token < FIRST_KEY:
            length = LENGTHS[token - FIRST_LENGTH]
            if kind >= FIRST_PITCH:
                notes.append((now, length, kind - FIRST_PITCH + LOWEST))
            elif kind == TIE and notes:
                notes[-1] = (notes[-1][0], notes[-1][1] + length, notes[-1][2])
            now, bars[-1] = now + length, bars[-1] + length
        else:
            kind = token
    return notes, bars if bars[-1] else bars[:-1]


def text_of(tokens: Iterable[int]) -> str:
    """Tokens as text; padding, end, key and metre have none."""
    return " ".join(NAMES[token] for token in tokens if END < token < FIRST_KEY)


def parsed(text: str) -> list[int]:
    """The tokens of a text.

    Raises:
        UserError: A word of it is not a token.
    """
    for word in text.split():
        if word not in _NUMBERS:
            raise UserError(
                f"{word!r} is not a token of a melody; write notes with lengths, such as 'G 1 ^F 1/2 z 1/2 |'"
            )
    return [_NUMBERS[word] for word in text.split()]


def share_of_full_bars(bars: Sequence[int], bar: int) -> float:
    """The share of bars that are as long as the metre requires."""
    return sum(length == bar for length in bars) / len(bars) if bars else 0.0


def fillable(lengths: Sequence[int], longest: int) -> np.ndarray:
    """Whether a rest of a bar can be filled with notes of some lengths: bool `(longest + 1,)`.

    Example:
        >>> np.flatnonzero(fillable([4, 6], 12)).tolist()
        [0, 4, 6, 8, 10, 12]
    """
    can = [True]
    for ticks in range(1, longest + 1):
        can.append(any(can[ticks - length] for length in lengths if length <= ticks))
    return np.array(can)
