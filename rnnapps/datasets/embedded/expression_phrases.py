"""What `expressions` can say: phrases in four languages with slots, and the things that fill them.

The phrases are in `expression_phrases.toml`. One English phrase has one translation; where a language offers a choice,
one form is always taken.
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from rnnapps.datasets.embedded import expression_dates as dates
from rnnapps.datasets.embedded import expression_numbers as numbers
from rnnapps.datasets.embedded.expression_numbers import Tell

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_THINGS: dict[str, Callable[[random.Random], Tell]] = {
    "age": numbers.age,
    "century": numbers.century,
    "day": dates.day,
    "days": dates.days,
    "decade": dates.decade,
    "decimal": numbers.decimal,
    "duration": numbers.duration,
    "first_to_tenth": numbers.first_to_tenth,
    "hours_and_minutes": numbers.hours_and_minutes,
    "length": numbers.measure(numbers.LENGTHS),
    "measure": numbers.measure(numbers.MEASURES),
    "millions": numbers.millions,
    "moment": dates.moment,
    "month": dates.month,
    "named_price": numbers.named_price,
    "number": numbers.number,
    "numeric_day": dates.numeric_day,
    "people": numbers.people,
    "percentage": numbers.percentage,
    "position": numbers.position,
    "price": numbers.price,
    "prices": numbers.prices,
    "quarter": dates.quarter,
    "short_day": dates.short_day,
    "spoken_day": dates.spoken_day,
    "spoken_price": numbers.spoken_price,
    "spoken_time": dates.spoken_time,
    "time": dates.time,
    "times": dates.times,
    "weekday": dates.weekday,
    "weekday_day": dates.weekday_day,
    "weight": numbers.measure(numbers.WEIGHTS),
    "year": dates.year,
}


class Group(NamedTuple):
    """Phrases about things of one kind.

    Attributes:
        draw: Draws a thing.
        weight: How often the group is taken, in proportion to the others.
        phrases: The phrases in English, German, French and Spanish.
    """

    draw: Callable[[random.Random], Tell]
    weight: float
    phrases: tuple[tuple[str, ...], ...]


@functools.cache
def groups() -> tuple[Group, ...]:
    """All groups of phrases, from `expression_phrases.toml`."""
    table = tomllib.loads(Path(__file__).with_name("expression_phrases.toml").read_text("utf-8"))
    return tuple(
        Group(_THINGS[group["thing"]], group["weight"], tuple(map(tuple, group["phrases"]))) for group in table["group"]
    )
