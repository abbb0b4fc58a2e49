"""Subtitles in SubRip format, from words with their times."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# What can be read while it is shown, by the guides of broadcasters.
_LONGEST = 7.0  # seconds
_COLUMNS, _LINES = 42, 2
_PAUSE = 1.0  # seconds without a word, after which a new subtitle begins

Word = Mapping[str, Any]  # `word`, and `start` and `end` in seconds


def subtitles(words: Sequence[Word]) -> Iterator[list[Word]]:
    """The words of each subtitle: at most seven seconds, at most two lines, and no long pause between two words.

    Example:
        >>> words = [{"word": word, "start": second, "end": second + 0.5} for second, word in [(0, "one"), (1, "two")]]
        >>> words.append({"word": "three", "start": 9.0, "end": 9.5})
        >>> [[word["word"] for word in subtitle] for subtitle in subtitles(words)]
        [['one', 'two'], ['three']]
    """
    shown: list[Word] = []
    for word in words:
        if shown and not _fits(shown, word):
            yield shown
            shown = []
        shown.append(word)
    if shown:
        yield shown


def _fits(shown: Sequence[Word], word: Word) -> bool:
    if word["end"] - shown[0]["start"] > _LONGEST or word["start"] - shown[-1]["end"] >= _PAUSE:
        return False
    return len(textwrap.wrap(text_of([*shown, word]), _COLUMNS)) <= _LINES


def text_of(words: Sequence[Word]) -> str:
    """Words as a text."""
    return " ".join(word["word"] for word in words)


def subtitle_lines(number: int, words: Sequence[Word]) -> Iterator[str]:
    """The lines of a subtitle, with the empty one after it."""
    yield str(number)
    yield f"{_time(words[0]['start'])} --> {_time(words[-1]['end'])}"
    yield from textwrap.wrap(text_of(words), _COLUMNS)
    yield ""


def _time(seconds: float) -> str:
    """Hours, minutes, seconds and milliseconds."""
    milliseconds = round(1000 * seconds)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d},{milliseconds:03d}"
