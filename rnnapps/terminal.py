"""Text from a model, a file or a server, made safe to print on a terminal. Files get it unchanged."""

from __future__ import annotations

import re
from typing import Any

from rnnapps.files import strict_json

# ECMA-48: control sequences (CSI), strings that run to a terminator (OSC, DCS, SOS, PM, APC), and two- or three-byte
# escapes. The eight-bit forms (C1, such as U+009B for CSI) start the same sequences.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ`-~]"
)
_WHITE_SPACE = dict.fromkeys(map(ord, "\t\n\v\f\r\x1c\x1d\x1e\x1f\x85\u2028\u2029"), " ")
_CONTROLS = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)))
# Embeddings, overrides and isolates change the order in which everything after them is shown. The marks U+200E, U+200F
# and U+061C do no more than a Hebrew or Arabic letter does, so they stay.
_BIDIRECTIONAL = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # no encoding can write them
_ONE_LINE = _CONTROLS | _BIDIRECTIONAL | _SURROGATES | _WHITE_SPACE
_MULTILINE = _ONE_LINE | {ord("\n"): "\n", ord("\t"): "\t"}


def printable(text: str, *, multiline: bool = False) -> str:
    r"""Removes from a text whatever a terminal would obey instead of show.

    Escape sequences, control characters and bidirectional overrides are removed; lone surrogates, which cannot be
    encoded, become U+FFFD. Everything else stays, such as joiners in emoji and in Persian.

    Args:
        text: What a model, a file or a server said.
        multiline: Whether to keep line breaks and tabs. By default each becomes a space, so that the text remains one
            line and one column of tab-separated output.

    Returns:
        The text without them; the same text if it has none.

    Example:
        >>> printable("\x1b]0;owned\x07\x1b[31mred\x1b[0m\tand\nmore")
        'red and more'
        >>> printable("two\r\nlines", multiline=True)
        'two\nlines'

    Reference: ECMA-48, https://ecma-international.org/publications-and-standards/standards/ecma-48/
    """
    if text.isprintable():
        return text
    text = _SEQUENCE.sub("", text.replace("\r\n", "\n"))
    return text.translate(_MULTILINE if multiline else _ONE_LINE)


def shortened(text: str, longest: int) -> str:
    """The text, of which so many characters remain, the last an ellipsis, if it is longer.

    Example:
        >>> shortened("a long sentence", 7)
        'a long…'
    """
    return text if len(text) <= longest else text[: longest - 1] + "…"


def reason(error: Exception) -> str:
    """What another library's error says, on one line of at most 200 characters; the name of its class if it is silent.

    Example:
        >>> reason(ValueError("no such\\n  column"))
        'no such column'
    """
    return shortened(" ".join(str(error).split()), 200) or type(error).__name__


def printable_json(value: Any) -> str:
    r"""Strict JSON on one line, in which what a terminal would obey is written as `\u....`.

    Args:
        value: What JSON can hold.

    Returns:
        The JSON.

    Example:
        >>> printable_json({"label": "größe \x9b2J"})
        '{"label": "größe \\u009b2J"}'
    """
    text = strict_json(value)
    return text if text.isprintable() else text.translate(_ESCAPED)


_ESCAPED = {character: f"\\u{character:04x}" for character in _ONE_LINE}
