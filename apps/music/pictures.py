"""Piano rolls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.figure

from rnnapps.datasets.pieces import Note
from rnnapps.training.plots import STYLE, TRAIN, VALIDATION, save


def draw_roll(tunes: Sequence[tuple[str, Sequence[Note], int, int]], path: Path, prime: int = 0) -> None:
    """Draws the notes of tunes over time, and writes a PNG.

    Args:
        tunes: The title of each, its notes (onset, length, pitch), its length, and that of a bar, in ticks.
        path: The PNG file to write.
        prime: Length of the given part, in ticks, drawn in another colour.
    """
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(11, 2.9 * len(tunes)), layout="constrained")
        for number, (title, notes, end, bar) in enumerate(tunes, 1):
            axes = figure.add_subplot(len(tunes), 1, number)
            axes.set_title(title, loc="left")
            pitches = [pitch for _, _, pitch in notes] or [60]
            for begin, length, pitch in notes:
                colour = TRAIN if begin < prime else VALIDATION
                axes.add_patch(
                    matplotlib.patches.Rectangle((begin + 1, pitch - 0.4), length - 2, 0.8, color=colour, lw=0)
                )
            bars = -(-end // bar)
            for line in range(bars + 1):
                axes.axvline(line * bar, color="#dde2ea", linewidth=0.8, zorder=0)
            octaves = [pitch for pitch in range(24, 109, 12) if min(pitches) - 6 <= pitch <= max(pitches) + 6]
            axes.set_yticks(octaves, [f"C{pitch // 12 - 1}" for pitch in octaves])
            axes.set_xticks([line * bar for line in range(0, bars + 1, 4)], [str(1 + n) for n in range(0, bars + 1, 4)])
            axes.set_xlim(0, max(end, 1))
            axes.set_ylim(min(pitches) - 2, max(pitches) + 2)
            axes.set_xlabel("bar")
        save(figure, path)
