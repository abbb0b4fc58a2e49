"""Pieces of music of one split, in memory: notes with onset and length, and the time steps of a piano roll."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rnnapps.datasets.rejected import Rejected

LOWEST, HIGHEST = 21, 108  # MIDI pitches of a piano; others are left out
Note = tuple[int, int, int]  # onset and length in ticks, MIDI pitch
TICKS = 24  # in a quarter note: halves, thirds, quarters, sixths and eighths of it are whole numbers


@dataclass(frozen=True)
class Piece:
    """A piece of music.

    Attributes:
        name: What to call it: its file, or its number in a list.
        notes: Int32 `(notes, 3)`: onset in ticks, length in ticks, MIDI pitch; in the order of onset and pitch.
        metre: Its time signature, such as "3/4"; "" where it is unknown.
        upbeat: Ticks before the first bar line; 0 where the piece begins with a whole bar.
    """

    name: str
    notes: np.ndarray
    metre: str = ""
    upbeat: int = 0

    @property
    def end(self) -> int:
        """The tick at which the last note ends."""
        return int((self.notes[:, 0] + self.notes[:, 1]).max()) if len(self.notes) else 0

    def steps(self, ticks: int) -> list[tuple[int, ...]]:
        """The pitches that sound at the beginning of each time step, ascending.

        Args:
            ticks: Length of a time step.

        Example:
            >>> Piece("", np.array([[0, 48, 60], [24, 24, 64]], np.int32)).steps(24)
            [(60,), (60, 64)]
        """
        sounding: list[set[int]] = [set() for _ in range(-(-self.end // ticks))]
        for onset, length, pitch in self.notes.tolist():
            for step in range(-(-onset // ticks), -(-(onset + length) // ticks)):
                sounding[step].add(pitch)
        return [tuple(sorted(pitches)) for pitches in sounding]


@dataclass(frozen=True)
class Pieces:
    """The pieces of a split.

    Attributes:
        pieces: The pieces.
        step: Length of a time step in quarter notes, as the source says.
        name: The data set as it was asked for.
        split: "train", "validation", "test" or "all".
        rejected: Files that were left out.
        notes: Remarks on the data that `summary` repeats.
    """

    pieces: tuple[Piece, ...]
    step: float
    name: str
    split: str = "all"
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.pieces)

    def steps(self) -> list[list[tuple[int, ...]]]:
        """The time steps of each piece."""
        return [piece.steps(round(self.step * TICKS)) for piece in self.pieces]


def bar_length(metre: str) -> int:
    """Ticks in a bar of a time signature; 0 for "", an unknown one.

    Example:
        >>> bar_length("3/4"), bar_length("6/8"), bar_length("")
        (72, 72, 0)
    """
    if not metre:
        return 0
    beats, _, kind = metre.partition("/")
    return int(beats) * 4 * TICKS // int(kind)
