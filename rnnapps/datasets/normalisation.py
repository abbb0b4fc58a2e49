"""How transcripts are written: their case, their punctuation and their digits, made alike before a model learns them.

Plain Python, and no TensorFlow: data sets are read with it.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from rnnapps.extras import from_extra

_NUMBER = re.compile(r"(\d+(?:,\d{3})*(?:\.\d+)?)(st|nd|rd|th)?\b(\s*%)?")
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
            ValueError: Nothing is left, or it has a character outside the alphabet; the message says which.
            UserError: The package num2words is missing, where numbers must be spelt.

        Example:
            >>> Normalisation()("It's 21 degrees, isn't it?")
            "it's twenty one degrees isn't it"
        """
        text = unicodedata.normalize("NFC", text).translate(_APOSTROPHES)
        if self.digits == "spell" and any(character.isdigit() for character in text):
            text = _NUMBER.sub(self._spelt, text)
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

    def _spelt(self, found: re.Match[str]) -> str:
        num2words = from_extra("num2words", extra="transcription", purpose="spelling numbers").num2words
        number, ordinal, percent = found[1].replace(",", ""), found[2], found[3]
        if ordinal and "." not in number:
            words = num2words(int(number), to="ordinal", lang=self.language)
        elif len(number) > _LONGEST_NUMBER or (number[0] == "0" and number.isdigit() and len(number) > 1):
            words = " ".join(num2words(int(digit), lang=self.language) for digit in number if digit.isdigit())
        else:
            words = num2words(float(number) if "." in number else int(number), lang=self.language)
        return f" {words} " + ("percent " if percent and self.language == "en" else percent or "")


def _is_punctuation(character: str) -> bool:
    return unicodedata.category(character).startswith("P")
