"""The step of a time series: a number of seconds, business days or months; inferred from times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rnnapps.datasets.rejected import DataError

UNITS = ("seconds", "business days", "months")
_ALIASES = {"s": "1 seconds", "min": "60 seconds", "t": "60 seconds", "h": "3600 seconds", "d": "86400 seconds"}
_ALIASES |= {"w": "604800 seconds", "b": "1 business days", "m": "1 months", "q": "3 months", "y": "12 months"}
_NAMES = {60: "minute", 3600: "hour", 86_400: "day", 604_800: "week"}
_MONTHS = {1: "month", 3: "quarter", 12: "year"}
# Steps in a season, and steps to forecast, where nobody says otherwise.
_SEASONS = {60: 60, 3600: 24, 86_400: 7, 604_800: 52}
_HORIZONS = {60: 60, 3600: 24, 86_400: 14, 604_800: 13}


@dataclass(frozen=True)
class Frequency:
    """The step of a series: `count` times a unit.

    Attributes:
        count: How many units a step has.
        unit: One of `UNITS`.
    """

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count} {self.unit}"

    @property
    def name(self) -> str:
        """What a person calls it: "hour", "15 minutes", "business day"."""
        if self.unit == "months":
            return _MONTHS.get(self.count, f"{self.count} months")
        if self.unit != "seconds":
            return "business day" if self.count == 1 else f"{self.count} business days"
        size = max((size for size in (1, *_NAMES) if self.count % size == 0), default=1)
        many, one = self.count // size, _NAMES.get(size, "second")
        return one if many == 1 else f"{many} {one}s"

    @property
    def step(self) -> str:
        """How long it is: "1 hour", "15 minutes", "1 business day"."""
        return self.name if self.name[0].isdigit() else f"1 {self.name}"

    @property
    def season(self) -> int:
        """Usual number of steps in a season: of hours 24, of days 7, of months 12; 1 where there is none."""
        if self.unit == "months":
            return max(1, 12 // self.count)
        if self.unit != "seconds":
            return 5 if self.count == 1 else 1
        if self.count in _SEASONS:
            return _SEASONS[self.count]
        return 86_400 // self.count if 60 < self.count < 86_400 and 86_400 % self.count == 0 else 1

    @property
    def horizon(self) -> int:
        """Usual number of steps to forecast."""
        if self.unit == "months":
            return {1: 12, 3: 8}.get(self.count, 6)
        if self.unit != "seconds":
            return 10
        return _HORIZONS.get(self.count, self.season if self.season > 1 else 12)

    def positions(self, times: np.ndarray) -> np.ndarray:
        """Numbers of times on the grid of this step.

        Args:
            times: Times, datetime64, ascending; the first is number 0.

        Returns:
            float64 of the same shape: whole numbers, but for times that are not on the grid.
        """
        if self.unit == "months":
            months = times.astype("datetime64[M]").astype(np.int64)
            return (months - months[0]) / self.count
        if self.unit == "business days":
            days = times.astype("datetime64[D]")
            counts = np.busday_count(np.full(len(days), days[0]), days) / self.count
            return np.where(np.is_busday(days), counts, counts + 0.5)
        seconds = times.astype("datetime64[s]").astype(np.int64)
        return (seconds - seconds[0]) / self.count

    def after(self, start: np.datetime64, steps: np.ndarray) -> np.ndarray:
        """The times that lie `steps` steps after a start, datetime64[s]."""
        steps = np.asarray(steps, np.int64)
        if self.unit == "months":
            month = start.astype("datetime64[M]")
            within = start.astype("datetime64[s]") - month.astype("datetime64[s]")
            begin = month + steps * self.count
            if start.astype("datetime64[D]") + 1 == (month + 1).astype("datetime64[D]"):  # ends of months
                return ((begin + 1).astype("datetime64[D]") - 1).astype("datetime64[s]")
            return begin.astype("datetime64[s]") + within
        if self.unit == "business days":
            return np.busday_offset(start.astype("datetime64[D]"), steps * self.count, "forward").astype(
                "datetime64[s]"
            )
        return start.astype("datetime64[s]") + (steps * self.count).astype("timedelta64[s]")


def parsed(text: str) -> Frequency:
    """A frequency as people write it: "h", "15min", "D", "W", "MS", "B", or as `str` of one gives it.

    Raises:
        DataError: It is not a frequency.

    Example:
        >>> parsed("15min"), parsed("QS").name
        (Frequency(count=900, unit='seconds'), 'quarter')
    """
    whole = re.fullmatch(r"(\d+) (seconds|business days|months)", text)
    if whole and int(whole[1]):
        return Frequency(int(whole[1]), whole[2])
    match = re.fullmatch(r"(\d*)\s*([A-Za-z]+)(-[A-Za-z]{3})?", text.strip())
    letters = match[2].lower() if match else ""
    if letters not in _ALIASES and letters[:-1] in ("m", "q", "y") and letters[-1] in "se":
        letters = letters[:-1]
    if match is None or letters not in _ALIASES or match[1] == "0":
        raise DataError(f"--frequency must be like h, 15min, D, W, MS or B, got {text!r}")
    count, _, unit = _ALIASES[letters].partition(" ")
    return Frequency(int(count) * int(match[1] or 1), unit)


def inferred(times: Sequence[np.ndarray]) -> Frequency | None:
    """The frequency of series with gaps: the most frequent distance between neighbours.

    Args:
        times: The times of each series, datetime64, ascending, without repeats.

    Returns:
        The frequency; None where no series has two times.

    Example:
        >>> days = np.array(["2024-01-31", "2024-02-29", "2024-03-31", "2024-05-31"], "datetime64[s]")
        >>> inferred([days])
        Frequency(count=1, unit='months')
    """
    seconds = [one.astype("datetime64[s]").astype(np.int64) for one in times]
    distances = np.concatenate([np.zeros(0, np.int64), *map(np.diff, seconds)])
    if not len(distances):
        return None
    found, counts = np.unique(distances, return_counts=True)
    step = int(found[counts.argmax()])
    days = step / 86_400
    if 28 <= days <= 31 or 89 <= days <= 92 or 365 <= days <= 366:
        return Frequency(1 if days < 32 else 3 if days < 93 else 12, "months")
    if step == 86_400 and sum(map(len, times)) >= 10:
        every = np.concatenate(times).astype("datetime64[D]")
        if np.is_busday(every).all():
            return Frequency(1, "business days")
    return Frequency(step, "seconds")
