"""Numbers, dates, times, prices and measures as four languages write and say them, by Babel (CLDR) and num2words.

What CLDR or num2words write otherwise than a careful writer is corrected here: French 1er and quatre-vingtième, Spanish
veintiún mil, the decimal comma in words and numbers of four digits, genders. All spaces are plain ones.
"""

from __future__ import annotations

import datetime
import functools
import re

import babel
import babel.dates
import babel.numbers
import babel.units
import num2words

# Measures whose name is feminine; that of all others is not.
_FEMININE = {
    "en": (),
    "de": (
        *("length-mile", "mass-tonne", "energy-kilowatt-hour"),
        *("duration-hour", "duration-minute", "duration-second", "duration-week"),
    ),
    "fr": ("mass-tonne", "duration-hour", "duration-minute", "duration-second", "duration-week"),
    "es": ("length-mile", "mass-tonne", "area-hectare", "duration-hour", "duration-week"),
}
_DAYS = {"en": "MMMM d", "de": "d. MMMM", "fr": "d MMMM", "es": "d 'de' MMMM"}
_SHORT_DAYS = {"en": "MMM d", "de": "d. MMM", "fr": "d MMM", "es": "d MMM"}
_YEAR = {"en": ", ", "de": " ", "fr": " ", "es": " de "}


def figures(number: float, language: str) -> str:
    """A number in digits: 12,345.6 is 12.345,6 in German."""
    return _plain(babel.numbers.format_decimal(number, locale=language), language)


def cardinal(number: float, language: str) -> str:
    """A number in words, as one counts."""
    words = num2words.num2words(number, lang=language)
    if language == "es":
        words = (
            words.replace(" punto ", " coma ").replace("veintiuno mil", "veintiún mil").replace(" uno mil", " un mil")
        )
    return words


def counted(number: int, language: str, *, feminine: bool) -> str:
    """A number in words before a noun; not for numbers that end in 01, except 1."""
    words = cardinal(number, language)
    if language == "de" and number == 1:
        return "eine" if feminine else "ein"
    if language == "fr" and feminine:
        return re.sub(r"\bun$", "une", words)
    if language == "es" and feminine:
        return re.sub("uno$", "una", words).replace("cientos", "cientas").replace("quinientos", "quinientas")
    if language == "es":
        return re.sub(r"\buno$", "un", words).replace("veintiuno", "veintiún")
    return words


def ordinal(number: int, language: str, *, feminine: bool) -> str:
    """An ordinal in words before a noun, in the nominative; Spanish ones up to ten."""
    words = num2words.num2words(number, lang=language, to="ordinal")
    if language == "fr":
        # num2words keeps the plural s of quatre-vingts before an ending.
        return "première" if feminine and number == 1 else words.replace("vingtsième", "vingtième")
    if language == "es" and feminine:
        return re.sub("o$", "a", words)
    if language == "es":
        return re.sub("(primer|tercer)o$", r"\1", words)
    return words


def ordinal_figures(number: int, language: str, *, feminine: bool) -> str:
    """An ordinal in digits before a noun: 21st, 21., 21e, 21.er."""
    if language == "en":
        return num2words.num2words(number, lang="en", to="ordinal_num")
    if language == "de":
        return f"{number}."
    if language == "fr":
        return f"{number}{('re' if feminine else 'er') if number == 1 else 'e'}"
    if feminine:
        return f"{number}.ª"
    return f"{number}{'.er' if number % 10 in (1, 3) and number % 100 not in (11, 13) else '.º'}"


def roman(number: int) -> str:
    """Roman numerals up to 39, in which French and Spanish count centuries."""
    units = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    return "X" * (number // 10) + units[number % 10]


def day(date: datetime.date, language: str, *, year: bool, weekday: str = "", short: bool = False) -> str:
    """A date with the name of its month: March 1, 2031.

    Args:
        date: The date.
        language: "en", "de", "fr" or "es".
        year: Whether to name the year.
        weekday: What separates the weekday from the day, such as ", "; "" for no weekday.
        short: Whether to abbreviate month and weekday.
    """
    months = _SHORT_DAYS if short else _DAYS
    text = _date(date, months[language], language)
    if language == "fr" and date.day == 1:
        text = re.sub("^1 ", "1er ", text)
    if year:
        text += (" " if short and language == "es" else _YEAR[language]) + str(date.year)
    return _date(date, "EEE" if short else "EEEE", language) + weekday + text if weekday else text


def numeric_day(date: datetime.date, language: str) -> str:
    """A date in digits with the whole year: 3/1/2031, 01.03.2031."""
    pattern = {"en": "M/d/y", "de": "dd.MM.y", "fr": "dd/MM/y", "es": "d/M/y"}[language]
    return _date(date, pattern, language)


def month(date: datetime.date, language: str) -> str:
    """The month and the year: March 2031."""
    pattern = {"en": "MMMM y", "de": "MMMM y", "fr": "MMMM y", "es": "MMMM 'de' y"}[language]
    return _date(date, pattern, language)


def month_name(date: datetime.date, language: str) -> str:
    """The month alone: March."""
    return _date(date, "LLLL", language)


def weekday_name(date: datetime.date, language: str) -> str:
    """The day of the week: Saturday."""
    return _date(date, "EEEE", language)


def year_words(year: int, language: str) -> str:
    """A year in words: nineteen eighty-seven. Not for whole centuries."""
    return num2words.num2words(year, lang=language, to="year")


def clock(time: datetime.time, language: str, *, twelve_hours: bool = False) -> str:
    """A time in digits: 1:30 PM, 13:30."""
    pattern = "h:mm a" if twelve_hours else {"en": "HH:mm", "de": "HH:mm", "fr": "HH:mm", "es": "H:mm"}[language]
    return _plain(babel.dates.format_time(time, pattern, locale=language), language)


def price(amount: float, currency: str, language: str) -> str:
    """A price with the sign of its currency, "EUR", "GBP" or "USD": $1,234.50, and $20 where there are no cents."""
    pattern = "¤#,##0.00" if language == "en" else "#,##0.00 ¤"
    if amount == int(amount):
        pattern = pattern.replace(".00", "")
    text = babel.numbers.format_currency(amount, currency, pattern, locale=language, currency_digits=False)
    return _plain(text, language)


def price_name(amount: float, currency: str, language: str) -> str:
    """A price with the name of its currency: 2.50 Swiss francs."""
    name = babel.numbers.get_currency_name(currency, count=amount, locale=language)
    digits = babel.numbers.format_decimal(amount, "#,##0.00" if amount != int(amount) else None, locale=language)
    return _plain(f"{digits} {name}", language)


def measure(number: float, unit: str, language: str, *, short: bool = False) -> str:
    """A measure in digits: 1.5 kilometers, 1.5 km; `unit` is CLDR's name for it."""
    return _plain(babel.units.format_unit(number, unit, "short" if short else "long", locale=language), language)


def measure_words(number: int, unit: str, language: str) -> str:
    """A measure in words: twenty-one kilometers."""
    noun = measure(number, unit, language).removeprefix(figures(number, language)).strip()
    return f"{counted(number, language, feminine=is_feminine(unit, language))} {noun}"


def is_feminine(unit: str, language: str) -> bool:
    """Whether the name of a measure is feminine."""
    return unit in _FEMININE[language]


def millions(number: float, language: str) -> str:
    """A number of 1.1 million or more, rounded to 0.1 million: 1.2 million, 25 billion."""
    return _plain(
        babel.numbers.format_compact_decimal(number, locale=language, format_type="long", fraction_digits=1), language
    )


def percent(number: float, language: str) -> str:
    """A share in digits: 12.5%."""
    return f"{figures(number, language)}{'%' if language == 'en' else ' %'}"


@functools.cache
def _pattern(pattern: str) -> babel.dates.DateTimePattern:
    return babel.dates.parse_pattern(pattern)


def _date(date: datetime.date, pattern: str, language: str) -> str:
    return _pattern(pattern).apply(date, babel.Locale(language))


def _plain(text: str, language: str) -> str:
    text = text.replace("\u202f", " ").replace("\xa0", " ")
    # CLDR parts thousands in Spanish from five digits on; Babel does so from four.
    return re.sub(r"(?<![\d.])(\d)\.(\d{3})(?![\d.])", r"\1\2", text) if language == "es" else text
