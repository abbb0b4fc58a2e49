"""The pictures of a run: learning curves, and the confusion matrix of a classifier.

Drawn with matplotlib's figure objects, without pyplot: no window system, no global state, any thread.
"""

from __future__ import annotations

import math
import pathlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import matplotlib.figure
import matplotlib.ticker
import numpy as np

from rnnapps.files import replacing
from rnnapps.terminal import shortened
from rnnapps.training.state import metrics_of

_MOST_CELLS = 64  # rows of a confusion matrix that are drawn large; more share their room
TRAIN, VALIDATION, INK = "#7a8ca3", "#d1495b", "#2f3b4c"
STYLE: Any = {
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#b8c0cc",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def plot_curves(rows: Sequence[Mapping[str, float]], path: pathlib.Path, *, best_epoch: int | None = None) -> None:
    """Draws a panel for each metric over the epochs, training and validation together, and writes a PNG.

    Args:
        rows: The rows of `History` or `history.csv`; `loss` comes first, the learning rate last (if it changed).
        path: Where the PNG goes.
        best_epoch: Marked by a line, if given.
    """
    known = dict.fromkeys(key.removeprefix("val_") for row in rows for key in metrics_of(row))
    names = ["loss", *(name for name in known if name != "loss")]
    if len({row["learning_rate"] for row in rows}) > 1:
        names.append("learning_rate")
    epochs = [row["epoch"] for row in rows]
    columns = min(len(names), 3)
    lines = math.ceil(len(names) / columns)
    with matplotlib.rc_context(STYLE):
        figure = matplotlib.figure.Figure(figsize=(4.6 * columns, 3.4 * lines), layout="constrained")
        for position, name in enumerate(names):
            axes = figure.add_subplot(lines, columns, position + 1)
            axes.set_title(name.replace("_", " "), loc="left")
            if best_epoch is not None:
                axes.axvline(
                    best_epoch, color=INK, linewidth=1, linestyle=(0, (2, 3)), label=f"best epoch ({best_epoch})"
                )
            for key, label, colour in ((name, "training", TRAIN), (f"val_{name}", "validation", VALIDATION)):
                values = [row.get(key, math.nan) for row in rows]
                if np.isfinite(values).any():
                    axes.plot(epochs, values, color=colour, linewidth=2, marker="o", markersize=4, label=label)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True, min_n_ticks=1))
            axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
            axes.grid(axis="y", color="#e6e9ee")
            axes.set_axisbelow(True)
            if position == 0:
                axes.legend(loc="best", fontsize=9)
        save(figure, path)


def plot_confusion_matrix(counts: np.ndarray, classes: Sequence[str], path: pathlib.Path) -> None:
    """Draws how often each true class was given each label, and writes a PNG.

    The colour and the percentage of a cell are shares of its row, so that the diagonal is each class's recall.

    Args:
        counts: (classes, classes) integers; row: true class, column: predicted class, as
            `sklearn.metrics.confusion_matrix` gives them.
        classes: Their names in that order.
        path: Where the PNG goes.

    Raises:
        ValueError: The shape of `counts` does not fit the number of classes.
    """
    counts = np.asarray(counts)
    n = len(classes)
    if counts.shape != (n, n):
        raise ValueError(f"counts must have the shape ({n}, {n}) for {n} classes, got {counts.shape}")
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    cell, font, decimals = (1.15, 11, 1) if n <= 6 else (0.72, 8.5, 1) if n <= 14 else (0.48, 6.5, 0)  # cell in inches
    crowded = n > _MOST_CELLS
    if crowded:
        cell = _MOST_CELLS * cell / n
    side = max(n * cell, 2.4)
    with matplotlib.rc_context(STYLE | {"axes.spines.left": False, "axes.spines.bottom": False}):
        figure = matplotlib.figure.Figure(figsize=(side + 1.5, side + 1))
        axes = figure.add_subplot()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        # A large matrix is mostly zeros, and they would hide the rest.
        for row, column in np.argwhere(counts >= (1 if n > 6 else 0)) if not crowded else ():
            text = f"{counts[row, column]:,}\n{shares[row, column]:.{decimals}%}"
            colour = "white" if shares[row, column] > 0.55 else INK
            axes.text(column, row, text, ha="center", va="center", fontsize=font, color=colour)
        labels = [plain(shortened(name, 24)) for name in classes]
        slanted = max(map(len, labels)) * 0.085 > cell  # about the width of a letter in inches
        axes.set_xticks(
            range(n), labels, rotation=45 * slanted, ha="right" if slanted else "center", rotation_mode="anchor"
        )
        axes.set_yticks(range(n), [f"{label} ({total:,})" for label, total in zip(labels, totals[:, 0], strict=True)])
        axes.tick_params(length=0, labelsize=min(10, 60 * cell), labelbottom=60 * cell >= 3, labelleft=60 * cell >= 3)
        if not crowded:
            axes.set_xticks(np.arange(n - 1) + 0.5, minor=True)
            axes.set_yticks(np.arange(n - 1) + 0.5, minor=True)
            axes.grid(which="minor", color="white", linewidth=2)
        axes.tick_params(which="minor", length=0)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true (examples)")
        right = np.trace(counts) / max(counts.sum(), 1)
        axes.set_title(f"{right:.1%} of {counts.sum():,} correct", loc="left")
        save(figure, path)


def plot_attention(panels: Sequence[tuple[np.ndarray, Sequence[str], Sequence[str]]], path: pathlib.Path) -> None:
    """Draws attention weights, one panel per sentence, and writes a PNG.

    Args:
        panels: For each sentence the weights (target, source), each row's sum 1; the tokens of the source; and those of
            the target.
        path: Where the PNG goes.
    """
    sizes = [(max(len(source), 4) * 0.34, max(len(target), 2) * 0.3) for _, source, target in panels]
    with matplotlib.rc_context(STYLE | {"axes.spines.left": False, "axes.spines.bottom": False}):
        figure = matplotlib.figure.Figure(
            figsize=(max(width for width, _ in sizes) + 1.5, sum(height + 1.2 for _, height in sizes)),
            layout="constrained",
        )
        rows = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[height + 0.6 for _, height in sizes])
        for axes, (weights, source, target) in zip(rows[:, 0], panels, strict=True):
            axes.imshow(weights.reshape(len(target), len(source)), cmap="Blues", vmin=0, vmax=1, aspect="auto")
            axes.set_xticks(range(len(source)), [plain(token) for token in source], rotation=60, ha="left")
            axes.set_yticks(range(len(target)), [plain(token) for token in target])
            axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False, labelsize=9)
            axes.set_xticks(np.arange(len(source) - 1) + 0.5, minor=True)
            axes.set_yticks(np.arange(len(target) - 1) + 0.5, minor=True)
            axes.grid(which="minor", color="#eef1f5", linewidth=1)
            axes.tick_params(which="minor", length=0, top=False)
        save(figure, path)


def plain(token: str) -> str:
    """The text as matplotlib should write it."""
    return token.replace("$", r"\$")  # a dollar sign would start a formula


def save(figure: matplotlib.figure.Figure, path: pathlib.Path) -> None:
    """Writes a PNG whole or not at all."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # a class name in a script the font lacks
        figure.savefig(partial, dpi=130, bbox_inches="tight", pad_inches=0.15)
