"""Places in the day, the week, the month and the year, computed in the graph from the time at which a series starts."""

from __future__ import annotations

import math

import tensorflow as tf

from rnnapps.assertions import asserted
from rnnapps.datasets.frequency import Frequency

CYCLES = ("day", "week", "month", "year")
_DAY = 86_400
_HOUR, _MINUTE = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
_ZONE = rf" ?(?:Z|([+-])({_HOUR}):?({_MINUTE}))"
_DATE = r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
_TIME = rf"{_DATE}([T ]{_HOUR}:{_MINUTE}(:{_MINUTE}(\.\d+)?)?({_ZONE})?)?"


def useful_cycles(frequency: Frequency | None, steps: int) -> tuple[str, ...]:
    """The cycles that a series of this frequency and length can show: those seen twice, at least two steps long.

    Args:
        frequency: The step; None for series without times.
        steps: Length of the longest series.
    """
    if frequency is None:
        return ()
    seconds = frequency.count * {"seconds": 1, "business days": _DAY, "months": 30 * _DAY}[frequency.unit]
    lengths = dict(zip(CYCLES, (_DAY, 7 * _DAY, 30 * _DAY, 365 * _DAY), strict=True))
    found = [cycle for cycle in CYCLES if 2 * seconds <= lengths[cycle] and steps * seconds >= 2 * lengths[cycle]]
    return tuple(cycle for cycle in found if cycle != "month" or seconds >= _DAY)


def cycle_features(
    start: tf.Tensor, first: int | tf.Tensor, steps: int, frequency: Frequency, cycles: tuple[str, ...]
) -> tf.Tensor:
    """Sine and cosine of the place in each cycle.

    Args:
        start: Times, string `(batch,)`: "2024-05-31", "2024-05-31 18:00" or "2024-05-31T18:00:00". One with a zone,
            "2024-05-31T18:00:00+02:00" or "...Z", is converted to UTC, as in the data of a run.
        first: The first step, counted from the start; may be negative.
        steps: Number of steps.
        frequency: The step.
        cycles: Some of `CYCLES`.

    Returns:
        Float32 `(batch, steps, 2 * len(cycles))`.
    """
    day, second = _parsed(start)
    numbers = tf.cast(first, tf.int64) + tf.range(steps, dtype=tf.int64)
    days, seconds = _stepped(day[:, None], second[:, None], numbers[None], frequency)
    features = []
    for cycle in cycles:
        if cycle == "day":
            share = tf.cast(seconds, tf.float32) / _DAY
        elif cycle == "week":
            share = (tf.cast((days + 3) % 7, tf.float32) + tf.cast(seconds, tf.float32) / _DAY) / 7
        else:
            year, month, of_month = _civil(days)
            if cycle == "month":
                share = (tf.cast(of_month, tf.float32) - 1) / 31
            else:
                share = tf.cast(days - _days(year, tf.ones_like(month), tf.ones_like(month)), tf.float32) / 365.25
        features += [tf.sin(2 * math.pi * share), tf.cos(2 * math.pi * share)]
    return tf.stack(features, axis=-1)


def _parsed(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Days since 1970 and seconds of the day, int64 `(batch,)`."""
    start = tf.strings.strip(start)
    fine = tf.reduce_all(tf.strings.regex_full_match(start, _TIME))
    needed = "a start must be a time like 2024-05-31, 2024-05-31 18:00 or 2024-05-31T18:00:00+02:00"
    (start,) = asserted([start], fine, needed)
    clock = tf.strings.regex_replace(start, rf"(.{{11,}}?){_ZONE}$", r"\1")
    clock = tf.strings.regex_replace(clock, r"^(.{10})$", r"\1T00:00:00")
    clock = tf.strings.regex_replace(clock, r"^(.{16})$", r"\1:00")

    def number(at: int, length: int) -> tf.Tensor:
        return tf.strings.to_number(tf.strings.substr(clock, at, length), tf.int64)

    of_month = number(8, 2)
    day = _days(number(0, 4), number(5, 2), of_month)
    (day,) = asserted(
        [day], tf.reduce_all(tf.equal(_civil(day)[2], of_month)), "a start has a day that does not exist in its month"
    )
    second = number(11, 2) * 3600 + number(14, 2) * 60 + number(17, 2) - _seconds_east(start)
    return day + second // _DAY, second % _DAY


def _seconds_east(start: tf.Tensor) -> tf.Tensor:
    """How far the clocks of a time's zone are ahead of UTC, int64 `(batch,)`; 0 without a zone."""

    def part(number: int) -> tf.Tensor:
        """A group of `_ZONE`, with a zero before it."""
        return tf.strings.regex_replace(start, rf"^.{{10}}(?:.[\d:.]*)?(?:{_ZONE})?$", rf"0\{number}")

    size = tf.strings.to_number(part(2), tf.int64) * 3600 + tf.strings.to_number(part(3), tf.int64) * 60
    return tf.where(tf.equal(part(1), "0-"), -size, size)


def _stepped(
    day: tf.Tensor, second: tf.Tensor, numbers: tf.Tensor, frequency: Frequency
) -> tuple[tf.Tensor, tf.Tensor]:
    """Day and second of every step."""
    numbers = numbers * frequency.count
    if frequency.unit == "seconds":
        total = second + numbers
        return day + total // _DAY, total % _DAY
    if frequency.unit == "business days":
        weekday = (day + 3) % 7
        days = tf.minimum(weekday, 4) + numbers
        return day - weekday + days // 5 * 7 + days % 5, second + 0 * numbers
    year, month, of_month = _civil(day)
    months = year * 12 + month - 1 + numbers
    # The 31st of some months is the 28th of others: with steps of months, the day within the month does not matter.
    return _days(months // 12, months % 12 + 1, tf.minimum(of_month, 28) + 0 * months), second + 0 * numbers


def _days(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Days since 1970 of a date in the Gregorian calendar; years begin in March, so that leap days come last."""
    year = year - tf.cast(month <= 2, tf.int64)
    era, of_era = year // 400, year % 400
    of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


def _civil(days: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Year, month and day of the month: the inverse of `_days`."""
    days = days + 719_468
    era, of_era = days // 146_097, days % 146_097
    year = (of_era - of_era // 1460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    march = (5 * of_year + 2) // 153
    month = tf.where(march < 10, march + 3, march - 9)
    return era * 400 + year + tf.cast(month <= 2, tf.int64), month, of_year - (153 * march + 2) // 5 + 1
