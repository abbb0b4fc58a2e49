"""How transcripts are written: their case, their punctuation and their digits, made alike before a model learns them.

Plain Python, and no TensorFlow: data sets are read with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from rnnapps.errors import UserError
from rnnapps.extras import from_extra

_ENGLISH_NUMBER = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)(st|nd|rd|th)?\b(\s*%)?")
_OTHER_NUMBER = re.compile(r"(\d+(?:\.\d{3})*(?:,\d+)?)()\b(\s*%)?")
# Languages of num2words that write 1,000.5 as English does; the others write 1.000,5.
_LIKE_ENGLISH = ("am", "bn", "cy", "en", "fa", "he", "ja", "kn", "ko", "te", "th")
_LONGEST_NUMBER = 15  # digits; longer ones are spelt digit by digit
_APOSTROPHES = str.maketrans("’ʼ`", "'''")


@dataclass(frozen=True)
class Normalisation:
    """What is done to a transcript.

    Attributes:
        case: "lower", "upper" or "keep".
        punctuation: "drop" or "keep". An apostrophe within a word always stays.
        digits: "spell" writes numbers as words, "keep" leaves them.
        language: The language of spelt numbers, a code of num2words such as "en" or "de".
        alphabet: The characters allowed, the space among them or not; None for all letters, and for digits and
            punctuation where these are kept.
    """

    case: str = "lower"
    punctuation: str = "drop"
    digits: str = "spell"
    language: str = "en"
    alphabet: str | None = None

    def __call__(self, text: str) -> str:
        """A text in this form, with single spaces.

        Raises:
            ValueError: Nothing is left, a number cannot be spelt, or there is a character outside the alphabet; the
                message says which.
            UserError: Numbers must be spelt, and the package num2words is missing or does not know the language.

        Example:
            >>> Normalisation()("It's 21 degrees, isn't it?")
            "it's twenty one degrees isn't it"
        """
        text = unicodedata.normalize("NFC", text).translate(_APOSTROPHES)
        if self.digits == "spell" and any(character.isdigit() for character in text):
            text = (_ENGLISH_NUMBER if self._like_english else _OTHER_NUMBER).sub(self._spelt, text)
        if self.punctuation == "drop":
            text = re.sub(r"(?<!\w)'|'(?!\w)", " ", text)
            text = "".join(" " if _is_punctuation(character) and character != "'" else character for character in text)
        text = " ".join(text.split())
        if self.case != "keep":
            text = text.lower() if self.case == "lower" else text.upper()
        if not text:
            raise ValueError("the text is empty")
        if outside := sorted({character for character in text if not self.allows(character)}):
            raise ValueError(f"character {outside[0]!r} is outside the alphabet")
        return text

    def allows(self, character: str) -> bool:
        """Whether a transcript may have a character."""
        if self.alphabet is not None:
            return character == " " or character in self.alphabet
        return (
            character in " '"
            or unicodedata.category(character)[0] in "LM"
            or (self.digits == "keep" and character.isdigit())
            or (self.punctuation == "keep" and _is_punctuation(character))
        )

    @property
    def _like_english(self) -> bool:
        return self.language[:2] in _LIKE_ENGLISH

    def _spelt(self, found: re.Match[str]) -> str:
        package = from_extra("num2words", extra="transcription", purpose="spelling numbers")
        if not {self.language, self.language[:2]} & package.CONVERTER_CLASSES.keys():
            known = ", ".join(sorted(package.CONVERTER_CLASSES))
            raise UserError(f"--language {self.language}: num2words spells numbers in {known}; or take --digits keep")
        try:
            return self._words(package.num2words, *found.groups())
        except (ArithmeticError, LookupError, NotImplementedError, TypeError) as error:  # what its languages lack
            raise ValueError(f"the number {found[0].strip()!r} cannot be spelt in {self.language!r}") from error

    def _words(self, spell: Callable[..., str], number: str, ordinal: str | None, percent: str | None) -> str:
        number = number.replace(",", "") if self._like_english else number.replace(".", "").replace(",", ".")
        if ordinal and "." not in number:
            words = spell(int(number), to="ordinal", lang=self.language)
        elif len(number) > _LONGEST_NUMBER or (number[0] == "0" and number.isdigit() and len(number) > 1):
            words = " ".join(spell(int(digit), lang=self.language) for digit in number if digit.isdigit())
        else:
            words = spell(float(number) if "." in number else int(number), lang=self.language)
        return f" {words} " + ("percent " if percent and self.language == "en" else percent or "")


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")
