"""Time steps as text, outside the graph; `rnnapps.apps.music.time_steps` has them in it."""

from __future__ import annotations

from collections.abc import Iterable


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
