"""What a person sees while a model trains: a bar on a terminal, one plain line an epoch everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

import rich.console
import rich.progress

from rnnapps.training.state import Row

REFRESH_SECONDS = 0.2


class Progress:
    """Says nothing; the base of the two that do.

    `step` is called after every batch, thousands of times a second with a small model; it reads the metrics, which
    waits for the device, only when there is something to draw.
    """

    def begin(self, label: str, steps: int | None, done: int = 0) -> None:
        """Starts a bar of `steps` batches, `done` of which lie behind us. None: as many as there are."""

    def step(self, done: int, metrics: Mapping[str, Any]) -> None:
        """Shows that `done` batches are behind us."""

    def epoch_end(self, row: Row, epochs: int, best: bool) -> None:
        """Shows a finished epoch."""

    def say(self, message: str) -> None:
        """Shows a line of text."""

    def close(self) -> None:
        """Takes the bar away."""


class PlainProgress(Progress):
    """One line an epoch, without control characters: for log files and pipes."""

    def epoch_end(self, row: Row, epochs: int, best: bool) -> None:
        self.say(epoch_line(row, epochs, best))

    def say(self, message: str) -> None:
        print(message, file=sys.stderr, flush=True)


class TerminalProgress(Progress):
    """A bar for the batches of the epoch, with metrics and time left, under the lines of the finished epochs."""

    def __init__(self) -> None:
        self._console = rich.console.Console(stderr=True, highlight=False)
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(bar_width=24),
            rich.progress.TextColumn("{task.fields[count]}  {task.fields[metrics]}", markup=False),
            rich.progress.TextColumn("{task.fields[left]}", style="cyan"),
            console=self._console,
            auto_refresh=False,
            transient=True,
        )
        self._bar.start()
        self._task: rich.progress.TaskID | None = None
        self._steps: int | None = None
        self._started_at = 0
        self._first = self._next = 0.0

    def begin(self, label: str, steps: int | None, done: int = 0) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
        self._steps, self._started_at = steps, done
        self._first, self._next = 0.0, 0.0
        self._task = self._bar.add_task(label, total=steps, completed=done, count="", metrics="", left="starting")
        self._bar.refresh()

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
        count = f"{done}/{self._steps}" if self._steps is not None else f"{done}"
        self._bar.update(self._task, completed=done, count=count, metrics=metric_text(metrics), left=left)
        self._bar.refresh()

    def epoch_end(self, row: Row, epochs: int, best: bool) -> None:
        self.say(epoch_line(row, epochs, best))

    def say(self, message: str) -> None:
        self._bar.console.print(message, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._bar.stop()


def show_progress(wanted: bool) -> Progress:
    """Returns the display for where standard error goes, or a silent one."""
    if not wanted:
        return Progress()
    if sys.stderr.isatty() and not rich.console.Console(stderr=True).is_dumb_terminal:
        return TerminalProgress()
    return PlainProgress()


def epoch_line(row: Row, epochs: int, best: bool) -> str:
    """Returns one finished epoch as a line of text.

    Example:
        >>> epoch_line({"epoch": 2, "step": 80, "seconds": 75.2, "learning_rate": 1e-3, "loss": 0.5}, 10, True)
        'epoch  2/10  loss 0.5000  1:15  best'
    """
    metrics = {name: value for name, value in row.items() if name not in ("epoch", "step", "seconds", "learning_rate")}
    parts = [f"epoch {int(row['epoch']):{len(str(epochs))}d}/{epochs}", metric_text(metrics)]
    parts.append(duration(row["seconds"]))
    return "  ".join(parts + ["best"] * best)


def metric_text(metrics: Mapping[str, Any]) -> str:
    """Returns the metrics as `name value` pairs: four decimals, or an exponent where those would not tell the value."""
    return "  ".join(f"{name} {_number(float(value))}" for name, value in metrics.items())


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
