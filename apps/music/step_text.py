"""Time steps as text and as notes, outside the graph; `rnnapps.apps.music.time_steps` is for the graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def text_of(steps: Iterable[Iterable[int]]) -> str:
    """The text of time steps.

    Example:
        >>> text_of([(60, 64), (), (62,)])
        '60,64 - 62'
    """
    return " ".join(",".join(map(str, pitches)) or "-" for pitches in steps)


def steps_of(text: str) -> list[tuple[int, ...]]:
    """The time steps that a text spells.

    Example:
        >>> steps_of("60,64 - 62")
        [(60, 64), (), (62,)]
    """
    return [() if step == "-" else tuple(map(int, step.split(","))) for step in text.split()]


def held_notes(steps: Sequence[Sequence[int]], ticks: int = 1) -> list[tuple[int, int, int]]:
    """Notes of time steps: begin, length, pitch. A pitch that continues in the next step is one note.

    Args:
        steps: The pitches of each time step.
        ticks: Length of a time step; begin and length are multiples of it.

    Example:
        >>> held_notes([(60, 64), (60,), (), (60,)])
        [(0, 1, 64), (0, 2, 60), (3, 1, 60)]
    """
    notes: list[tuple[int, int, int]] = []
    sounding: dict[int, int] = {}
    for number, pitches in enumerate([*steps, ()]):
        for pitch in [pitch for pitch in sounding if pitch not in pitches]:
            begin = sounding.pop(pitch)
            notes.append((begin * ticks, (number - begin) * ticks, pitch))
        for pitch in pitches:
            sounding.setdefault(pitch, number)
    return sorted(notes)
