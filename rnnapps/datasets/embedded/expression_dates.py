"""Dates and times of day that fill the phrases of `expressions`; see `expression_numbers`."""

from __future__ import annotations

import datetime
import random

from rnnapps.datasets.embedded import expression_words as say
from rnnapps.datasets.embedded.expression_numbers import Slots, Tell

# Between a weekday and the day, on its own and after "on".
_WEEKDAY = {"en": ", ", "de": ", ", "fr": " ", "es": ", "}
_ON_WEEKDAY = {"en": ", ", "de": ", dem ", "fr": " ", "es": " "}


def _some_date(draw: random.Random) -> datetime.date:
    return datetime.date(1850, 1, 1) + datetime.timedelta(draw.randrange(90_000))


def day(draw: random.Random) -> Tell:
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


def weekday_day(draw: random.Random) -> Tell:
    date, year = _some_date(draw), draw.random() < 0.6
    return lambda language: {
        "day": say.day(date, language, year=year, weekday=_WEEKDAY[language]),
        "on_day": say.day(date, language, year=year, weekday=_ON_WEEKDAY[language]),
    }


def weekday(draw: random.Random) -> Tell:
    date, at = _some_date(draw), time(draw)
    return lambda language: {"weekday": say.weekday_name(date, language), **at(language)}


def moment(draw: random.Random) -> Tell:
    date, at = _some_date(draw), time(draw)
    return lambda language: {"day": say.day(date, language, year=True), **at(language)}


def short_day(draw: random.Random) -> Tell:
    date = _some_date(draw)
    if date.month == 5:  # May is not abbreviated in English, so nothing would tell it from the long form
        date = date.replace(month=6, day=min(date.day, 30))
    weekday = draw.random() < 0.4
    return lambda language: {
        "day": say.day(date, language, year=True, short=True, weekday=_WEEKDAY[language] if weekday else "")
    }


def numeric_day(draw: random.Random) -> Tell:
    date, iso = _some_date(draw), draw.random() < 0.4
    return lambda language: {"day": date.isoformat() if iso and language == "en" else say.numeric_day(date, language)}


def spoken_day(draw: random.Random) -> Tell:
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


def days(draw: random.Random) -> Tell:
    first = _some_date(draw)
    last = first + datetime.timedelta(draw.randrange(1, 120))
    year = draw.random() < 0.5
    return lambda language: {
        "first": say.day(first, language, year=year and first.year != last.year),
        "last": say.day(last, language, year=year),
    }


def month(draw: random.Random) -> Tell:
    date = _some_date(draw)
    return lambda language: {"month": say.month(date, language)}


def year(draw: random.Random) -> Tell:
    year = draw.randint(1100, 2099)
    spoken = year if year % 100 else year + 7
    return lambda language: {"figures": str(year), "words": say.year_words(spoken, language)}


def decade(draw: random.Random) -> Tell:
    year = 10 * draw.randint(150, 209)
    return lambda language: {"decade": str(year)}


def quarter(draw: random.Random) -> Tell:
    quarter, week, year = draw.randint(1, 4), draw.randint(1, 52), draw.randint(1950, 2099)
    return lambda language: {
        "quarter": say.ordinal_figures(quarter, language, feminine=False),
        "number": str(quarter),
        "week": str(week),
        "year": str(year),
    }


def time(draw: random.Random) -> Tell:
    """A time of day as English writes it in two ways; `at` is what follows um, à and a."""
    time, twelve = datetime.time(draw.randrange(24), draw.randrange(60)), draw.random() < 0.6
    return lambda language: _clock(time, language, twelve)


def _clock(time: datetime.time, language: str, twelve: bool) -> Slots:
    text = say.clock(time, language, twelve_hours=twelve and language == "en")
    article = "la" if time.hour == 1 else "las"
    at = {"de": f"{text} Uhr", "fr": f"{time.hour} h {time:%M}", "es": f"{article} {text}"}.get(language, text)
    return {"time": text, "at": at}


def times(draw: random.Random) -> Tell:
    first, last = (datetime.time(hour, draw.randrange(0, 60, 5)) for hour in sorted(draw.sample(range(24), 2)))
    twelve = draw.random() < 0.6

    def tell(language: str) -> Slots:
        begin, end = _clock(first, language, twelve), _clock(last, language, twelve)
        return {"first": begin["time"], "last": end["time"], "at_first": begin["at"], "at_last": end["at"]}

    return tell


def spoken_time(draw: random.Random) -> Tell:
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
