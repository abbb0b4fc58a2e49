"""What a person sees while a model trains: a bar on a terminal, plain lines everywhere else."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import rich.console
import rich.live
import rich.text

from rnnapps.training.state import Row, metrics_of

REFRESH_SECONDS = 0.2
LINE_SECONDS = 60  # between the plain lines of an epoch
BAR_WIDTH, MIN_BAR_WIDTH = 24, 5


class Progress:
    """Silent progress display; base class of the two visible ones.

    `step` is called after every batch, thousands of times a second with a small model; it reads the metrics, which
    waits for the device, only when there is something to draw.
    """

    def begin(self, label: str, steps: int | None, done: int = 0) -> None:
        """Starts a bar of `steps` batches (None: unknown), `done` of which are done."""

    def step(self, done: int, metrics: Mapping[str, Any]) -> None:
        """Shows that `done` batches are done."""

    def epoch_end(self, row: Row, epochs: int, best: bool) -> None:
        """Shows a finished epoch."""

    def say(self, message: str) -> None:
        """Shows a line of text."""

    def close(self) -> None:
        """Removes the bar."""


class PlainProgress(Progress):
    """One line per epoch, and one a minute within long ones, without control characters: for log files and pipes."""

    def begin(self, label: str, steps: int | None, done: int = 0) -> None:
        self._label, self._of = label, "" if steps is None else f"/{steps}"
        self._next = time.monotonic() + LINE_SECONDS

    def step(self, done: int, metrics: Mapping[str, Any]) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LINE_SECONDS
        self.say("  ".join([self._label.strip(), f"{done}{self._of}", *metric_texts(metrics)]))

    def epoch_end(self, row: Row, epochs: int, best: bool) -> None:
        self.say("  ".join(epoch_parts(row, epochs, best)))

    def say(self, message: str) -> None:
        with contextlib.suppress(OSError):  # nobody reads it: no reason to stop
            print(message, file=sys.stderr, flush=True)


class TerminalProgress(Progress):
    """A bar for the batches of the epoch, with metrics and time left, under the lines of the finished epochs."""

    def __init__(self) -> None:
        self._console = rich.console.Console(stderr=True, highlight=False)
        self._live = rich.live.Live(console=self._console, auto_refresh=False, transient=True)
        self._live.start()
        self._label = ""
        self._steps: int | None = None
        self._started_at = 0
        self._first = self._next = 0.0

    def begin(self, label: str, steps: int | None, done: int = 0) -> None:
        self._label, self._steps, self._started_at = label, steps, done
        self._first, self._next = 0.0, 0.0
        self._draw(done, {}, "starting")

    def step(self, done: int, metrics: Mapping[str, Any]) -> None:
        now = time.monotonic()
        if not self._first:  # the first step also traces and compiles: its time says nothing about the others
            self._first, self._started_at = now, done
        if now < self._next:
            return
        self._next = now + REFRESH_SECONDS
        left = ""
        if self._steps is not None and done > self._started_at:
            left = duration((now - self._first) / (done - self._started_at) * (self._steps - done)) + " left"
        self._draw(done, metrics, left)

    def _draw(self, done: int, metrics: Mapping[str, Any], left: str) -> None:
        width = self._console.width - 1  # a full last column makes some terminals wrap
        self._live.update(bar_line(self._label, done, self._steps, metrics, left, width), refresh=True)

    def epoch_end(self, row: Row, epochs: int, best: bool) -> None:
        self.say(wrapped(epoch_parts(row, epochs, best), self._console.width))

    def say(self, message: str) -> None:
        self._console.print(message, markup=False)

    def close(self) -> None:
        self._live.stop()


def show_progress(wanted: bool) -> Progress:
    """Returns the display for where standard error goes, or a silent one."""
    if not wanted:
        return Progress()
    if sys.stderr.isatty() and not rich.console.Console(stderr=True).is_dumb_terminal:
        return TerminalProgress()
    return PlainProgress()


def epoch_parts(row: Row, epochs: int, best: bool) -> list[str]:
    """Says how an epoch went, in parts that a line should not be broken in.

    Example:
        >>> epoch_parts({"epoch": 2, "step": 80, "seconds": 75.2, "learning_rate": 1e-3, "loss": 0.5}, 10, True)
        ['epoch  2/10', 'loss 0.5000', '1:15', 'best']
    """
    metrics = metrics_of(row)
    epoch = f"epoch {int(row['epoch']):{len(str(epochs))}d}/{epochs}"
    return [epoch, *metric_texts(metrics), duration(row["seconds"]), *["best"] * best]


def wrapped(parts: Sequence[str], width: int) -> str:
    """Joins parts by two spaces, in lines of at most `width` characters; later lines start under the second part.

    Example:
        >>> print(wrapped(["epoch 2/9", "loss 0.5000", "val_loss 0.6000", "1:15"], 28))
        epoch 2/9  loss 0.5000
                   val_loss 0.6000
                   1:15
    """
    lines = [parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += "  " + part
        else:
            lines.append(" " * (len(parts[0]) + 2) + part)
    return "\n".join(lines)


def bar_line(
    label: str, done: int, steps: int | None, metrics: Mapping[str, Any], left: str, width: int
) -> rich.text.Text:
    """Draws the state of an epoch in one line: what does not fit into `width` is left out, the bar and metrics first.

    Example:
        >>> bar_line("epoch 1/3", 50, 200, {"loss": 0.5}, "0:17 left", 60).plain
        'epoch 1/3  ━━━━━━━━━━━━━━━━━  50/200  loss 0.5000  0:17 left'
        >>> bar_line("epoch 1/3", 50, 200, {"loss": 0.5}, "0:17 left", 30).plain
        'epoch 1/3  50/200  0:17 left'
    """
    count = f"{done}/{steps}" if steps is not None else f"{done}"
    ends = [label, count, *[left] * bool(left)]
    free = width - len("  ".join(ends))
    shown = []
    for text in metric_texts(metrics):
        if free < len(text) + 2:
            break
        shown.append(text)
        free -= len(text) + 2
    line = rich.text.Text(label, no_wrap=True, overflow="crop")
    bar = min(BAR_WIDTH, free - 2)
    if steps and bar >= MIN_BAR_WIDTH:
        filled = round(bar * min(done / steps, 1))
        line.append("  ").append("━" * filled, "cyan").append("━" * (bar - filled), "bright_black")
    line.append("  ".join(["", count, *shown]))
    return line.append("  " + left, "cyan") if left else line


def metric_texts(metrics: Mapping[str, Any]) -> list[str]:
    """Returns `name value` of each metric: four decimals, or an exponent where those would not tell the value."""
    return [f"{name} {_number(float(value))}" for name, value in metrics.items()]


def _number(value: float) -> str:
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def duration(seconds: float) -> str:
    """Returns a time span as minutes and seconds, with hours where there are any.

    Example:
        >>> duration(9.6), duration(75), duration(7265)
        ('0:10', '1:15', '2:01:05')
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
