"""Piano rolls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.figure

from rnnapps.apps.music.sounding import held_notes
from rnnapps.training.plots import STYLE, TRAIN, VALIDATION, save


def draw_roll(tunes: Sequence[tuple[str, Sequence[tuple[int, ...]]]], path: Path, bar: int, prime: int = 0) -> None:
    """Draws the notes of tunes over time, and writes a PNG.

    Args:
        tunes: Title and time steps of each.
        path: Where the PNG goes.
        bar: Time steps in a bar.
        prime: Time steps that were given, in another colour.
    """
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(11, 2.9 * len(tunes)), layout="constrained")
        for number, (title, steps) in enumerate(tunes, 1):
            axes = figure.add_subplot(len(tunes), 1, number)
            axes.set_title(title, loc="left")
            pitches = [pitch for step in steps for pitch in step] or [60]
            for begin, length, pitch in held_notes(steps):
                colour = TRAIN if begin < prime else VALIDATION
                axes.add_patch(
                    matplotlib.patches.Rectangle((begin + 0.04, pitch - 0.4), length - 0.08, 0.8, color=colour, lw=0)
                )
            for line in range(0, len(steps) + 1, bar):
                axes.axvline(line, color="#dde2ea", linewidth=0.8, zorder=0)
            octaves = [pitch for pitch in range(24, 109, 12) if min(pitches) - 6 <= pitch <= max(pitches) + 6]
            axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
            axes.set_xticks(
                range(0, len(steps) + 1, 4 * bar), [str(1 + 4 * n) for n in range(len(steps) // (4 * bar) + 1)]
            )
            axes.set_xlim(0, max(len(steps), 1))
            axes.set_ylim(min(pitches) - 2, max(pitches) + 2)
            axes.set_xlabel("bar")
        save(figure, path)
