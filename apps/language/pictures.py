"""Text coloured by how surprising each of its tokens is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import matplotlib.cm
import matplotlib.colors
import matplotlib.figure
import numpy as np

from rnnapps.training.plots import INK, STYLE, save

_COLUMNS = 100  # characters of a row
_ROWS = 60  # rows of a picture
_HIGHEST = 12.0  # bits; anything more surprising has the same colour
_LIGHT = 0.45  # green of a background that dark letters can be read on

Token = tuple[bytes, float]


def draw_surprise(parts: Sequence[tuple[str, Sequence[Sequence[Token]]]], path: Path) -> None:
    """Draws texts, each token on a background whose colour shows how surprising it is, and writes a PNG.

    Args:
        parts: Headings, each with its texts: the tokens of a text with their surprise in bits.
        path: The PNG file to write. Its last row says how much did not fit on the page.
    """
    rows: list[str | list[tuple[str, float]]] = []
    for heading, texts in parts:
        rows.append(heading)
        for text in texts:
            rows += [*_wrapped(text), ""]
    if len(rows) > _ROWS:
        rows[_ROWS - 1 :] = [f"… {len(rows) - _ROWS + 1:,} more rows are left out"]
    colours = matplotlib.colormaps["YlOrRd"]
    scale = matplotlib.colors.Normalize(0, _HIGHEST, clip=True)
    with matplotlib.rc_context(STYLE):
        height = 0.24 * len(rows) + 0.9
        figure = matplotlib.figure.Figure(figsize=(10, height), layout="constrained")
        axes, bar = figure.subplots(2, 1, height_ratios=[height - 0.6, 0.12])
        axes.set_xlim(0, _COLUMNS)
        axes.set_ylim(len(rows), 0)
        axes.axis("off")
        for number, row in enumerate(rows):
            if isinstance(row, str):  # a heading
                axes.text(0, number + 0.5, row, weight="bold", color=INK, va="center")
                continue
            place = 0
            for shown, bits in row:
                colour = colours(scale(bits) * 0.75)
                ink = INK if colour[1] > _LIGHT else "white"
                box = matplotlib.patches.Rectangle((place, number), len(shown), 0.95, color=colour, linewidth=0)
                axes.add_patch(box)
                for offset, character in enumerate(shown):
                    axes.text(
                        place + offset + 0.5, number + 0.5, character,
                        family=["monospace"], size=8.5, color=ink, ha="center", va="center", parse_math=False,
                    )  # fmt: skip
                place += len(shown)
        shades = matplotlib.colors.ListedColormap(colours(np.linspace(0, 0.75, 256)))
        mappable = matplotlib.cm.ScalarMappable(scale, shades)
        figure.colorbar(mappable, cax=bar, orientation="horizontal", label="surprise of a token in bits")
        save(figure, path)


def _wrapped(text: Sequence[Token]) -> list[list[tuple[str, float]]]:
    """The rows of a text: it is broken where it breaks lines, and before a space if there is one in the second half."""
    rows: list[list[tuple[str, float]]] = [[]]
    for piece, bits in text:
        for character in piece.decode("utf-8", errors="replace").replace("\n", "↵") or "□":
            row = rows[-1]
            row.append((character if character.isprintable() else "□", bits))
            if len(row) > _COLUMNS:
                spaces = (place for place in range(_COLUMNS, _COLUMNS // 2, -1) if row[place][0] == " ")
                cut = next(spaces, _COLUMNS)
                rows[-1:] = [row[:cut], row[cut:]]
            if character == "↵":
                rows.append([])
    return [row for row in rows if row]
