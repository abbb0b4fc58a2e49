"""What `expressions` can say: 112 phrases in four languages, and the things that fill them.

A thing is drawn once and told in each language by itself, so that a phrase and its translation hold the same date or
price by construction. One English phrase has one translation; where a language has a choice, one is taken for good.
"""

from __future__ import annotations

import datetime
import math
import random
from collections.abc import Callable

from rnnapps.datasets.embedded import expression_words as say

Slots = dict[str, str]
Tell = Callable[[str], Slots]  # from a language to what fills the slots of a phrase

_LENGTHS = ("length-kilometer", "length-meter", "length-mile")
_WEIGHTS = ("mass-kilogram", "mass-gram", "mass-tonne")
_MEASURES = (
    *_LENGTHS,
    *_WEIGHTS,
    *("length-centimeter", "volume-liter", "area-square-meter", "area-hectare", "speed-kilometer-per-hour"),
    *("temperature-celsius", "energy-kilowatt-hour", "digital-gigabyte"),
)
_DURATIONS = ("second", "minute", "hour", "day", "week", "month", "year")
_CURRENCIES = ("EUR", "USD", "GBP")
_NAMED_CURRENCIES = (*_CURRENCIES, "CHF", "JPY")
# Between a weekday and the day, on its own and after "on".
_WEEKDAY = {"en": ", ", "de": ", ", "fr": " ", "es": ", "}
_ON_WEEKDAY = {"en": ", ", "de": ", dem ", "fr": " ", "es": " "}


# ------------------------------------------------------------------------------------------------------------ numbers


def _whole(draw: random.Random, lowest: int = 2, highest: int = 999_999) -> int:
    """A whole number of any order of magnitude; none that ends in 01, after which nouns are irregular."""
    while True:
        number = int(math.exp(draw.uniform(math.log(lowest), math.log(highest + 1))))
        if number % 100 != 1 and lowest <= number <= highest:
            return number


def _number(draw: random.Random) -> Tell:
    number, other = (int(math.exp(draw.uniform(0, math.log(1_000_000)))) - 1 for _ in range(2))
    return lambda language: {
        "figures": say.figures(number, language),
        "words": say.cardinal(number, language),
        "other": say.cardinal(other, language),
    }


def _decimal(draw: random.Random) -> Tell:
    number = _whole(draw, 2, 9999) / 10
    words = number if number % 1 else number + 0.5
    return lambda language: {
        "figures": say.figures(number, language),
        "words": say.cardinal(words, language),
        "percent": say.percent(number, language),
    }


def _percentage(draw: random.Random) -> Tell:
    number = draw.choice([n for n in range(2, 100) if n % 10 != 1 or n == 11])
    return lambda language: {"figures": say.figures(number, language), "words": say.cardinal(number, language)}


def _millions(draw: random.Random) -> Tell:
    number = draw.choice((10**5, 10**8)) * draw.randint(11, 999)
    return lambda language: {"figures": say.millions(number, language)}


def _people(draw: random.Random) -> Tell:
    number = _whole(draw, 12, 99_999)
    return lambda language: {"figures": say.figures(number, language)}


def _position(draw: random.Random, highest: int = 99) -> Tell:
    number = draw.randint(1, highest)
    return lambda language: {
        "m": say.ordinal_figures(number, language, feminine=False),
        "f": say.ordinal_figures(number, language, feminine=True),
    }


def _first_to_tenth(draw: random.Random) -> Tell:
    number = draw.randint(1, 10)
    return lambda language: {
        "m": say.ordinal(number, language, feminine=False),
        "f": say.ordinal(number, language, feminine=True),
    }


def _century(draw: random.Random) -> Tell:
    number = draw.randint(2, 21)
    return lambda language: {
        "figures": say.ordinal_figures(number, language, feminine=False),
        "words": say.ordinal(number, language, feminine=False),
        "roman": say.roman(number),
    }


# -------------------------------------------------------------------------------------------------------------- dates


def _some_date(draw: random.Random) -> datetime.date:
    return datetime.date(1850, 1, 1) + datetime.timedelta(draw.randrange(90_000))


def _day(draw: random.Random) -> Tell:
    """A day as English writes it in five ways and others in one."""
    date, year = _some_date(draw), draw.random() < 0.7
    english = draw.choice(("{month} {day}", "{month} {day}", "{day} {month}", "{month} {th}", "the {th} of {month}"))

    def tell(language: str) -> Slots:
        if language != "en" or english == "{month} {day}":
            return {"day": say.day(date, language, year=year)}
        th = say.ordinal_figures(date.day, "en", feminine=False)
        text = english.format(month=say.month_name(date, "en"), day=date.day, th=th)
        comma = "," if text.startswith(say.month_name(date, "en")) else ""
        return {"day": f"{text}{comma} {date.year}" if year else text}

    return tell


def _weekday_day(draw: random.Random) -> Tell:
    date, year = _some_date(draw), draw.random() < 0.6
    return lambda language: {
        "day": say.day(date, language, year=year, weekday=_WEEKDAY[language]),
        "on_day": say.day(date, language, year=year, weekday=_ON_WEEKDAY[language]),
    }


def _weekday(draw: random.Random) -> Tell:
    date, at = _some_date(draw), _time(draw)
    return lambda language: {"weekday": say.weekday_name(date, language), **at(language)}


def _moment(draw: random.Random) -> Tell:
    date, at = _some_date(draw), _time(draw)
    return lambda language: {"day": say.day(date, language, year=True), **at(language)}


def _short_day(draw: random.Random) -> Tell:
    date = _some_date(draw)
    if date.month == 5:  # May is not abbreviated in English, so nothing would tell it from the long form
        date = date.replace(month=6, day=min(date.day, 30))
    weekday = draw.random() < 0.4
    return lambda language: {
        "day": say.day(date, language, year=True, short=True, weekday=_WEEKDAY[language] if weekday else "")
    }


def _numeric_day(draw: random.Random) -> Tell:
    date, iso = _some_date(draw), draw.random() < 0.4
    return lambda language: {"day": date.isoformat() if iso and language == "en" else say.numeric_day(date, language)}


def _spoken_day(draw: random.Random) -> Tell:
    date = _some_date(draw)
    if date.year % 100 == 0:
        date = date.replace(year=date.year + 7, day=min(date.day, 28))
    year = draw.random() < 0.5

    def tell(language: str) -> Slots:
        month = say.month_name(date, language)
        if language in ("en", "de"):
            number = say.ordinal(date.day, language, feminine=False)
        else:
            number = "premier" if language == "fr" and date.day == 1 else say.cardinal(date.day, language)
        of = {"en": " of ", "es": " de "}.get(language, " ")
        text = f"{number}{of}{month}"
        dative = text.replace("te ", "ten ", 1) if language == "de" else text
        suffix = ""
        if year:
            suffix = {"en": ", ", "es": " de "}.get(language, " ") + say.year_words(date.year, language)
        return {"day": text + suffix, "on_day": dative + suffix}

    return tell


def _days(draw: random.Random) -> Tell:
    first = _some_date(draw)
    last = first + datetime.timedelta(draw.randrange(1, 120))
    year = draw.random() < 0.5
    return lambda language: {
        "first": say.day(first, language, year=year and first.year != last.year),
        "last": say.day(last, language, year=year),
    }


def _month(draw: random.Random) -> Tell:
    date = _some_date(draw)
    return lambda language: {"month": say.month(date, language)}


def _year(draw: random.Random) -> Tell:
    year = draw.randint(1100, 2099)
    spoken = year if year % 100 else year + 7
    return lambda language: {"figures": str(year), "words": say.year_words(spoken, language)}


def _decade(draw: random.Random) -> Tell:
    year = 10 * draw.randint(150, 209)
    return lambda language: {"decade": str(year)}


def _quarter(draw: random.Random) -> Tell:
    quarter, week, year = draw.randint(1, 4), draw.randint(1, 52), draw.randint(1950, 2099)
    return lambda language: {
        "quarter": say.ordinal_figures(quarter, language, feminine=False),
        "number": str(quarter),
        "week": str(week),
        "year": str(year),
    }


# -------------------------------------------------------------------------------------------------------------- times


def _time(draw: random.Random) -> Tell:
    """A time of day as English writes it in two ways; `at` is what follows um, à and a."""
    time, twelve = datetime.time(draw.randrange(24), draw.randrange(60)), draw.random() < 0.6
    return lambda language: _clock(time, language, twelve)


def _clock(time: datetime.time, language: str, twelve: bool) -> Slots:
    text = say.clock(time, language, twelve_hours=twelve and language == "en")
    article = "la" if time.hour == 1 else "las"
    at = {"de": f"{text} Uhr", "fr": f"{time.hour} h {time:%M}", "es": f"{article} {text}"}.get(language, text)
    return {"time": text, "at": at}


def _times(draw: random.Random) -> Tell:
    first, last = (datetime.time(hour, draw.randrange(0, 60, 5)) for hour in sorted(draw.sample(range(24), 2)))
    twelve = draw.random() < 0.6

    def tell(language: str) -> Slots:
        begin, end = _clock(first, language, twelve), _clock(last, language, twelve)
        return {"first": begin["time"], "last": end["time"], "at_first": begin["at"], "at_last": end["at"]}

    return tell


def _spoken_time(draw: random.Random) -> Tell:
    hour, after = draw.randint(1, 11), draw.choice((0, 5, 10, 15, 20, 25, 30, -20, -15, -10, -5))
    return lambda language: {"time": _SPOKEN_TIME[language](hour, after)}


def _english_time(hour: int, after: int) -> str:
    hour_words = say.cardinal(hour, "en")
    if after == 0:
        return f"{hour_words} o'clock"
    minutes = {15: "a quarter", 30: "half"}.get(abs(after)) or say.cardinal(abs(after), "en")
    return f"{minutes} {'past' if after > 0 else 'to'} {hour_words}"


def _german_time(hour: int, after: int) -> str:
    if after == 0:
        return f"{say.counted(hour, 'de', feminine=False)} Uhr"
    if after == 30:
        return f"halb {say.cardinal(hour % 12 + 1, 'de')}"
    minutes = "Viertel" if abs(after) == 15 else say.cardinal(abs(after), "de")
    return f"{minutes} {'nach' if after > 0 else 'vor'} {say.cardinal(hour, 'de')}"


def _french_time(hour: int, after: int) -> str:
    text = f"{say.counted(hour, 'fr', feminine=True)} heure{'s' if hour > 1 else ''}"
    if after in (15, 30):
        return f"{text} et {'quart' if after == 15 else 'demie'}"
    if after == -15:
        return f"{text} moins le quart"
    return text if after == 0 else f"{text} {'moins ' if after < 0 else ''}{say.cardinal(abs(after), 'fr')}"


def _spanish_time(hour: int, after: int) -> str:
    text = "la una" if hour == 1 else f"las {say.cardinal(hour, 'es')}"
    minutes = {15: "cuarto", 30: "media"}.get(abs(after)) or say.cardinal(abs(after), "es")
    return text if after == 0 else f"{text} {'y' if after > 0 else 'menos'} {minutes}"


_SPOKEN_TIME = {"en": _english_time, "de": _german_time, "fr": _french_time, "es": _spanish_time}


# ------------------------------------------------------------------------------------------------- prices and measures


def _price(draw: random.Random) -> Tell:
    currency, amount = draw.choice(_CURRENCIES), _amount(draw)
    return lambda language: {"price": say.price(amount, currency, language)}


def _amount(draw: random.Random) -> float:
    amount = _whole(draw, 2, 99_999)
    return amount if draw.random() < 0.4 else amount + draw.choice((5, 10, 20, 25, 49, 50, 75, 90, 95, 99)) / 100


def _prices(draw: random.Random) -> Tell:
    currency = draw.choice(_CURRENCIES)
    low, high = sorted(_whole(draw, 2, 9999) for _ in range(2))
    return lambda language: {
        "low": say.price(low, currency, language),
        "high": say.price(high + (high == low), currency, language),
    }


def _named_price(draw: random.Random) -> Tell:
    currency, amount = draw.choice(_NAMED_CURRENCIES), _amount(draw)
    amount = int(amount) if currency == "JPY" else amount
    return lambda language: {"price": say.price_name(amount, currency, language)}


def _spoken_price(draw: random.Random) -> Tell:
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


def _measure(units: tuple[str, ...]) -> Callable[[random.Random], Tell]:
    def measure(draw: random.Random) -> Tell:
        unit, manner = draw.choice(units), draw.choice(("whole", "decimal", "short", "words"))
        number = _whole(draw, 2, 9999)
        if manner == "decimal":
            number = number / 10 if number % 10 else (number + 5) / 10
        if manner == "words":
            number = _whole(draw, 2, 999)
            return lambda language: {"measure": say.measure_words(number, unit, language)}
        return lambda language: {"measure": say.measure(number, unit, language, short=manner == "short")}

    return measure


def _duration(draw: random.Random) -> Tell:
    """A whole number of time; German plurals of days, months and years take n after prepositions."""
    unit, spoken = f"duration-{draw.choice(_DURATIONS[1:])}", draw.random() < 0.5
    number = _whole(draw, 2, 60)

    def tell(language: str) -> Slots:
        text = (say.measure_words if spoken else say.measure)(number, unit, language)
        dative = text if language != "de" or text.endswith("n") else f"{text}n"
        all_ = "toutes les" if language == "fr" and say.is_feminine(unit, "fr") else "tous les"
        return {"duration": text, "dative": dative, "all": all_}

    return tell


def _hours_and_minutes(draw: random.Random) -> Tell:
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


def _age(draw: random.Random) -> Tell:
    number = _whole(draw, 2, 99)
    return lambda language: {
        "figures": say.measure(number, "duration-year", language),
        "words": say.measure_words(number, "duration-year", language),
    }


# ------------------------------------------------------------------------------------------------------------ phrases

# What draws the things, how often the group is taken, and its phrases: English, German, French, Spanish.
GROUPS: tuple[tuple[Callable[[random.Random], Tell], float, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        _number,
        8,
        (
            ("{words}", "{words}", "{words}", "{words}"),
            ("{figures} in words", "{words}", "{words}", "{words}"),
            ("{words} in figures", "{figures}", "{figures}", "{figures}"),
            ("number {figures}", "Nummer {figures}", "numéro {figures}", "número {figures}"),
            ("{figures} plus {other}", "{figures} plus {other}", "{figures} plus {other}", "{figures} más {other}"),
            ("minus {words}", "minus {words}", "moins {words}", "menos {words}"),
        ),
    ),
    (
        _decimal,
        5,
        (
            ("{figures}", "{figures}", "{figures}", "{figures}"),
            ("{words}", "{words}", "{words}", "{words}"),
            ("{percent}", "{percent}", "{percent}", "{percent}"),
            ("{percent} more", "{percent} mehr", "{percent} de plus", "{percent} más"),
            ("less than {percent}", "weniger als {percent}", "moins de {percent}", "menos del {percent}"),
            (
                "an increase of {percent}",
                "ein Anstieg um {percent}",
                "une hausse de {percent}",
                "un aumento del {percent}",
            ),
        ),
    ),
    (
        _percentage,
        1,
        (
            ("{figures} percent", "{figures} Prozent", "{figures} pour cent", "{figures} por ciento"),
            ("{words} percent", "{words} Prozent", "{words} pour cent", "{words} por ciento"),
        ),
    ),
    (
        _millions,
        2,
        (
            ("{figures}", "{figures}", "{figures}", "{figures}"),
            ("about {figures}", "etwa {figures}", "environ {figures}", "aproximadamente {figures}"),
            ("more than {figures}", "mehr als {figures}", "plus de {figures}", "más de {figures}"),
        ),
    ),
    (
        _people,
        3,
        (
            (
                "{figures} people live here.",
                "Hier wohnen {figures} Menschen.",
                "{figures} personnes vivent ici.",
                "Aquí viven {figures} personas.",
            ),
            (
                "{figures} people came.",
                "Es kamen {figures} Menschen.",
                "{figures} personnes sont venues.",
                "Vinieron {figures} personas.",
            ),
            (
                "room for {figures} people",
                "Platz für {figures} Personen",
                "de la place pour {figures} personnes",
                "sitio para {figures} personas",
            ),
        ),
    ),
    (
        _position,
        2,
        (
            ("the {m} chapter", "das {m} Kapitel", "le {m} chapitre", "el {m} capítulo"),
            ("the {m} day", "der {m} Tag", "le {m} jour", "el {m} día"),
            ("the {f} week", "die {f} Woche", "la {f} semaine", "la {f} semana"),
            ("in {f} place", "auf dem {f} Platz", "à la {f} place", "en el {m} puesto"),
            ("for the {f} time", "zum {f} Mal", "pour la {f} fois", "por {f} vez"),
        ),
    ),
    (
        _first_to_tenth,
        1,
        (
            ("the {m} chapter", "das {m} Kapitel", "le {m} chapitre", "el {m} capítulo"),
            ("the {m} attempt", "der {m} Versuch", "le {m} essai", "el {m} intento"),
            ("the {f} week", "die {f} Woche", "la {f} semaine", "la {f} semana"),
            ("on the {m} day", "am {m}n Tag", "le {m} jour", "el {m} día"),
            ("during the {f} week", "während der {f}n Woche", "pendant la {f} semaine", "durante la {f} semana"),
            ("for the {f} time", "zum {f}n Mal", "pour la {f} fois", "por {f} vez"),
        ),
    ),
    (
        _century,
        0.5,
        (
            ("the {figures} century", "das {figures} Jahrhundert", "le {roman}e siècle", "el siglo {roman}"),
            ("in the {figures} century", "im {figures} Jahrhundert", "au {roman}e siècle", "en el siglo {roman}"),
        ),
    ),
    (
        _day,
        12,
        (
            ("{day}", "{day}", "{day}", "{day}"),
            ("on {day}", "am {day}", "le {day}", "el {day}"),
            ("since {day}", "seit dem {day}", "depuis le {day}", "desde el {day}"),
            ("until {day}", "bis zum {day}", "jusqu'au {day}", "hasta el {day}"),
            ("before {day}", "vor dem {day}", "avant le {day}", "antes del {day}"),
            ("after {day}", "nach dem {day}", "après le {day}", "después del {day}"),
            ("She was born on {day}.", "Sie wurde am {day} geboren.", "Elle est née le {day}.", "Ella nació el {day}."),
            (
                "The meeting is on {day}.",
                "Die Sitzung ist am {day}.",
                "La réunion a lieu le {day}.",
                "La reunión es el {day}.",
            ),
            (
                "The contract ends on {day}.",
                "Der Vertrag endet am {day}.",
                "Le contrat se termine le {day}.",
                "El contrato termina el {day}.",
            ),
        ),
    ),
    (
        _weekday_day,
        5,
        (
            ("{day}", "{day}", "{day}", "{day}"),
            ("on {on_day}", "am {on_day}", "le {on_day}", "el {on_day}"),
            (
                "The meeting is on {on_day}.",
                "Die Sitzung ist am {on_day}.",
                "La réunion a lieu le {on_day}.",
                "La reunión es el {on_day}.",
            ),
        ),
    ),
    (_short_day, 3, (("{day}", "{day}", "{day}", "{day}"),)),
    (
        _numeric_day,
        4,
        (
            ("{day}", "{day}", "{day}", "{day}"),
            ("on {day}", "am {day}", "le {day}", "el {day}"),
            ("until {day}", "bis zum {day}", "jusqu'au {day}", "hasta el {day}"),
        ),
    ),
    (
        _spoken_day,
        5,
        (
            ("the {day}", "der {day}", "le {day}", "el {day}"),
            ("on the {day}", "am {on_day}", "le {day}", "el {day}"),
            ("since the {day}", "seit dem {on_day}", "depuis le {day}", "desde el {day}"),
        ),
    ),
    (
        _days,
        5,
        (
            ("from {first} to {last}", "vom {first} bis zum {last}", "du {first} au {last}", "del {first} al {last}"),
            (
                "between {first} and {last}",
                "zwischen dem {first} und dem {last}",
                "entre le {first} et le {last}",
                "entre el {first} y el {last}",
            ),
        ),
    ),
    (
        _month,
        2,
        (
            ("{month}", "{month}", "{month}", "{month}"),
            ("in {month}", "im {month}", "en {month}", "en {month}"),
            ("since {month}", "seit {month}", "depuis {month}", "desde {month}"),
            ("at the end of {month}", "Ende {month}", "fin {month}", "a finales de {month}"),
        ),
    ),
    (
        _year,
        3,
        (
            ("the year {figures}", "das Jahr {figures}", "l'année {figures}", "el año {figures}"),
            ("the year {words}", "das Jahr {words}", "l'an {words}", "el año {words}"),
            (
                "The house was built in {figures}.",
                "Das Haus wurde {figures} gebaut.",
                "La maison a été construite en {figures}.",
                "La casa fue construida en {figures}.",
            ),
        ),
    ),
    (
        _decade,
        0.3,
        (("in the {decade}s", "in den {decade}er-Jahren", "dans les années {decade}", "en la década de {decade}"),),
    ),
    (
        _quarter,
        2,
        (
            (
                "Q{number} {year}",
                "{quarter} Quartal {year}",
                "{quarter} trimestre {year}",
                "{quarter} trimestre de {year}",
            ),
            (
                "in the {quarter} quarter of {year}",
                "im {quarter} Quartal {year}",
                "au {quarter} trimestre {year}",
                "en el {quarter} trimestre de {year}",
            ),
            (
                "week {week} of {year}",
                "Woche {week} des Jahres {year}",
                "semaine {week} de {year}",
                "semana {week} de {year}",
            ),
        ),
    ),
    (
        _time,
        6,
        (
            ("{time}", "{time}", "{time}", "{time}"),
            ("at {at}", "um {at}", "à {at}", "a {at}"),
            ("The train leaves at {at}.", "Der Zug fährt um {at} ab.", "Le train part à {at}.", "El tren sale a {at}."),
            (
                "The shop opens at {at}.",
                "Der Laden öffnet um {at}.",
                "Le magasin ouvre à {at}.",
                "La tienda abre a {at}.",
            ),
            (
                "The film starts at {at}.",
                "Der Film beginnt um {at}.",
                "Le film commence à {at}.",
                "La película empieza a {at}.",
            ),
        ),
    ),
    (
        _times,
        4,
        (
            (
                "from {first} to {last}",
                "von {first} bis {last} Uhr",
                "de {at_first} à {at_last}",
                "de {first} a {last}",
            ),
            (
                "open between {first} and {last}",
                "zwischen {first} und {last} Uhr geöffnet",
                "ouvert entre {at_first} et {at_last}",
                "abierto entre {at_first} y {at_last}",
            ),
        ),
    ),
    (
        _spoken_time,
        3,
        (
            ("{time}", "{time}", "{time}", "{time}"),
            ("at {time}", "um {time}", "à {time}", "a {time}"),
            ("at {time} in the morning", "um {time} morgens", "à {time} du matin", "a {time} de la mañana"),
            (
                "The train leaves at {time}.",
                "Der Zug fährt um {time} ab.",
                "Le train part à {time}.",
                "El tren sale a {time}.",
            ),
            (
                "The shop opens at {time}.",
                "Der Laden öffnet um {time}.",
                "Le magasin ouvre à {time}.",
                "La tienda abre a {time}.",
            ),
        ),
    ),
    (
        _weekday,
        4,
        (
            ("on {weekday} at {at}", "am {weekday} um {at}", "{weekday} à {at}", "el {weekday} a {at}"),
            (
                "The meeting is on {weekday} at {at}.",
                "Die Sitzung ist am {weekday} um {at}.",
                "La réunion a lieu {weekday} à {at}.",
                "La reunión es el {weekday} a {at}.",
            ),
        ),
    ),
    (_moment, 4, (("on {day} at {at}", "am {day} um {at}", "le {day} à {at}", "el {day} a {at}"),)),
    (
        _price,
        6,
        (
            ("{price}", "{price}", "{price}", "{price}"),
            ("for {price}", "für {price}", "pour {price}", "por {price}"),
            (
                "The book costs {price}.",
                "Das Buch kostet {price}.",
                "Le livre coûte {price}.",
                "El libro cuesta {price}.",
            ),
            (
                "The tickets cost {price}.",
                "Die Karten kosten {price}.",
                "Les billets coûtent {price}.",
                "Las entradas cuestan {price}.",
            ),
            ("We paid {price}.", "Wir haben {price} bezahlt.", "Nous avons payé {price}.", "Hemos pagado {price}."),
            ("less than {price}", "weniger als {price}", "moins de {price}", "menos de {price}"),
            ("at least {price}", "mindestens {price}", "au moins {price}", "al menos {price}"),
        ),
    ),
    (
        _prices,
        2,
        (
            ("from {low} to {high}", "von {low} bis {high}", "de {low} à {high}", "de {low} a {high}"),
            ("between {low} and {high}", "zwischen {low} und {high}", "entre {low} et {high}", "entre {low} y {high}"),
        ),
    ),
    (
        _named_price,
        4,
        (
            ("{price}", "{price}", "{price}", "{price}"),
            (
                "The tickets cost {price}.",
                "Die Karten kosten {price}.",
                "Les billets coûtent {price}.",
                "Las entradas cuestan {price}.",
            ),
            ("more than {price}", "mehr als {price}", "plus de {price}", "más de {price}"),
        ),
    ),
    (
        _spoken_price,
        4,
        (
            ("{price}", "{price}", "{price}", "{price}"),
            (
                "The book costs {price}.",
                "Das Buch kostet {price}.",
                "Le livre coûte {price}.",
                "El libro cuesta {price}.",
            ),
            ("only {price}", "nur {price}", "seulement {price}", "solo {price}"),
        ),
    ),
    (
        _measure(_MEASURES),
        9,
        (
            ("{measure}", "{measure}", "{measure}", "{measure}"),
            ("about {measure}", "etwa {measure}", "environ {measure}", "aproximadamente {measure}"),
            ("exactly {measure}", "genau {measure}", "exactement {measure}", "exactamente {measure}"),
            ("at least {measure}", "mindestens {measure}", "au moins {measure}", "al menos {measure}"),
            ("at most {measure}", "höchstens {measure}", "au plus {measure}", "como máximo {measure}"),
        ),
    ),
    (
        _measure(_LENGTHS),
        2,
        (
            (
                "The village is {measure} away.",
                "Das Dorf ist {measure} entfernt.",
                "Le village est à {measure}.",
                "El pueblo está a {measure}.",
            ),
        ),
    ),
    (
        _measure(_WEIGHTS),
        1,
        (
            (
                "The parcel weighs {measure}.",
                "Das Paket wiegt {measure}.",
                "Le colis pèse {measure}.",
                "El paquete pesa {measure}.",
            ),
        ),
    ),
    (
        _duration,
        5,
        (
            ("{duration}", "{duration}", "{duration}", "{duration}"),
            ("{duration} ago", "vor {dative}", "il y a {duration}", "hace {duration}"),
            ("in {duration}", "in {dative}", "dans {duration}", "dentro de {duration}"),
            ("after {duration}", "nach {dative}", "après {duration}", "después de {duration}"),
            ("every {duration}", "alle {duration}", "{all} {duration}", "cada {duration}"),
            ("It lasts {duration}.", "Es dauert {duration}.", "Cela dure {duration}.", "Dura {duration}."),
        ),
    ),
    (
        _hours_and_minutes,
        4,
        (
            ("{large} and {small}", "{large} und {small}", "{large} et {small}", "{large} y {small}"),
            (
                "The journey takes {large} and {small}.",
                "Die Reise dauert {large} und {small}.",
                "Le voyage dure {large} et {small}.",
                "El viaje dura {large} y {small}.",
            ),
        ),
    ),
    (
        _age,
        0.5,
        (
            ("He is {figures} old.", "Er ist {figures} alt.", "Il a {figures}.", "Él tiene {figures}."),
            ("She is {words} old.", "Sie ist {words} alt.", "Elle a {words}.", "Ella tiene {words}."),
        ),
    ),
)
