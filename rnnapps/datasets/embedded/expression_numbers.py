"""Numbers, prices, measures and durations that fill the phrases of `expressions`.

A thing is drawn once and put into words for each language separately, so that a phrase and its translation hold the
same number or price by construction. Each function draws a thing and returns what tells it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from rnnapps.datasets.embedded import expression_words as say

Slots = dict[str, str]
Tell = Callable[[str], Slots]  # from a language to what fills the slots of a phrase

LENGTHS = ("length-kilometer", "length-meter", "length-mile")
WEIGHTS = ("mass-kilogram", "mass-gram", "mass-tonne")
MEASURES = (
    *LENGTHS,
    *WEIGHTS,
    *("length-centimeter", "volume-liter", "area-square-meter", "area-hectare", "speed-kilometer-per-hour"),
    *("temperature-celsius", "energy-kilowatt-hour", "digital-gigabyte"),
)
_DURATIONS = ("second", "minute", "hour", "day", "week", "month", "year")
_CURRENCIES = ("EUR", "USD", "GBP")
_NAMED_CURRENCIES = (*_CURRENCIES, "CHF", "JPY")


def _whole(draw: random.Random, lowest: int = 2, highest: int = 999_999) -> int:
    """A whole number of any order of magnitude; none that ends in 01, after which nouns are irregular."""
    while True:
        number = int(math.exp(draw.uniform(math.log(lowest), math.log(highest + 1))))
        if number % 100 != 1 and lowest <= number <= highest:
            return number


def number(draw: random.Random) -> Tell:
    number, other = (int(math.exp(draw.uniform(0, math.log(1_000_000)))) - 1 for _ in range(2))
    return lambda language: {
        "figures": say.figures(number, language),
        "words": say.cardinal(number, language),
        "other": say.cardinal(other, language),
    }


def decimal(draw: random.Random) -> Tell:
    number = _whole(draw, 2, 9999) / 10
    words = number if number % 1 else number + 0.5
    return lambda language: {
        "figures": say.figures(number, language),
        "words": say.cardinal(words, language),
        "percent": say.percent(number, language),
    }


def percentage(draw: random.Random) -> Tell:
    number = draw.choice([n for n in range(2, 100) if n % 10 != 1 or n == 11])
    return lambda language: {"figures": say.figures(number, language), "words": say.cardinal(number, language)}


def millions(draw: random.Random) -> Tell:
    number = draw.choice((10**5, 10**8)) * draw.randint(11, 999)
    return lambda language: {"figures": say.millions(number, language)}


def people(draw: random.Random) -> Tell:
    number = _whole(draw, 12, 99_999)
    return lambda language: {"figures": say.figures(number, language)}


def position(draw: random.Random, highest: int = 99) -> Tell:
    number = draw.randint(1, highest)
    return lambda language: {
        "m": say.ordinal_figures(number, language, feminine=False),
        "f": say.ordinal_figures(number, language, feminine=True),
    }


def first_to_tenth(draw: random.Random) -> Tell:
    number = draw.randint(1, 10)
    return lambda language: {
        "m": say.ordinal(number, language, feminine=False),
        "f": say.ordinal(number, language, feminine=True),
    }


def century(draw: random.Random) -> Tell:
    number = draw.randint(2, 21)
    return lambda language: {
        "figures": say.ordinal_figures(number, language, feminine=False),
        "words": say.ordinal(number, language, feminine=False),
        "roman": say.roman(number),
    }


def price(draw: random.Random) -> Tell:
    currency, amount = draw.choice(_CURRENCIES), _amount(draw)
    return lambda language: {"price": say.price(amount, currency, language)}


def _amount(draw: random.Random) -> float:
    amount = _whole(draw, 2, 99_999)
    return amount if draw.random() < 0.4 else amount + draw.choice((5, 10, 20, 25, 49, 50, 75, 90, 95, 99)) / 100


def prices(draw: random.Random) -> Tell:
    currency = draw.choice(_CURRENCIES)
    low, high = sorted(_whole(draw, 2, 9999) for _ in range(2))
    return lambda language: {
        "low": say.price(low, currency, language),
        "high": say.price(high + (high == low), currency, language),
    }


def named_price(draw: random.Random) -> Tell:
    currency, amount = draw.choice(_NAMED_CURRENCIES), _amount(draw)
    amount = int(amount) if currency == "JPY" else amount
    return lambda language: {"price": say.price_name(amount, currency, language)}


def spoken_price(draw: random.Random) -> Tell:
    whole = _whole(draw, 2, 999)
    cents = draw.choice((0, 0, 5, 10, 20, 25, 49, 50, 75, 90, 95, 99))
    nouns = {"en": ("euros", "cents"), "de": ("Euro", "Cent"), "fr": ("euros", "centimes"), "es": ("euros", "céntimos")}
    and_ = {"en": "and", "de": "und", "fr": "et", "es": "con"}

    def tell(language: str) -> Slots:
        text = f"{say.counted(whole, language, feminine=False)} {nouns[language][0]}"
        if cents:
            text += f" {and_[language]} {say.cardinal(cents, language)} {nouns[language][1]}"
        return {"price": text}

    return tell


def measure(units: tuple[str, ...]) -> Callable[[random.Random], Tell]:
    def measure(draw: random.Random) -> Tell:
        unit, manner = draw.choice(units), draw.choice(("whole", "decimal", "short", "words"))
        whole = _whole(draw, 2, 9999)
        if manner == "words":
            small = _whole(draw, 2, 999)
            return lambda language: {"measure": say.measure_words(small, unit, language)}
        number = whole if manner != "decimal" else whole / 10 if whole % 10 else (whole + 5) / 10
        return lambda language: {"measure": say.measure(number, unit, language, short=manner == "short")}

    return measure


def duration(draw: random.Random) -> Tell:
    """A whole number of time; German plurals of days, months and years take n after prepositions."""
    unit, spoken = f"duration-{draw.choice(_DURATIONS[1:])}", draw.random() < 0.5
    number = _whole(draw, 2, 60)

    def tell(language: str) -> Slots:
        text = (say.measure_words if spoken else say.measure)(number, unit, language)
        dative = text if language != "de" or text.endswith("n") else f"{text}n"
        all_ = "toutes les" if language == "fr" and say.is_feminine(unit, "fr") else "tous les"
        return {"duration": text, "dative": dative, "all": all_}

    return tell


def hours_and_minutes(draw: random.Random) -> Tell:
    index = draw.randrange(len(_DURATIONS) - 1)
    small, large = _DURATIONS[index], _DURATIONS[index + 1]
    most = {"second": 59, "minute": 59, "hour": 23, "day": 6, "week": 3, "month": 11}[small]
    amounts = (_whole(draw, 2, 40), _whole(draw, 2, most))
    spoken = draw.random() < 0.4

    def tell(language: str) -> Slots:
        told = say.measure_words if spoken else say.measure
        parts = (
            told(number, f"duration-{unit}", language) for number, unit in zip(amounts, (large, small), strict=True)
        )
        return dict(zip(("large", "small"), parts, strict=True))

    return tell


def age(draw: random.Random) -> Tell:
    number = _whole(draw, 2, 99)
    return lambda language: {
        "figures": say.measure(number, "duration-year", language),
        "words": say.measure_words(number, "duration-year", language),
    }
