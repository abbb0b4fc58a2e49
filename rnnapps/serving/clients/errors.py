"""What goes wrong when a model server is asked: each error is one line, fit for a terminal."""

from __future__ import annotations

import re

from rnnapps.errors import UserError
from rnnapps.terminal import printable

LARGEST_ANSWER = 64 * 2**20  # bytes; a server may send without end, and memory is not
_LONGEST_MESSAGE = 300  # characters of what a server says; TensorFlow's errors continue with a trace of the graph


class ServerError(UserError):
    """A server that cannot be reached, does not know the model, or fails."""


class BadRequest(ServerError):
    """A request whose inputs are at fault: client or server refused them, and other inputs may well be answered."""


class BadAnswer(ServerError):
    """An answer that does not fit the model's signature: it comes from another model, or not from a model server."""


def reason(message: str) -> str:
    """The first line of what a server says, shortened, without control characters.

    Args:
        message: The server's message.

    Returns:
        One line of at most 300 characters.

    Example:
        >>> reason("assertion failed: [audio: too short:] [8] [of at least] [80] [samples]\\n\\t [[{{node Assert}}]]")
        'audio: too short: 8 of at least 80 samples'
    """
    lines = printable(message[: 100 * _LONGEST_MESSAGE], multiline=True).splitlines()
    line = next((words for words in (" ".join(line.split()) for line in lines) if words), "it does not say why")
    if assertion := re.search(r"assertion failed: \[(.*)\]", line):  # TensorFlow puts each part in brackets
        line = " ".join(assertion[1].replace("] [", " ").split())
    return line[:_LONGEST_MESSAGE] + "…" * (len(line) > _LONGEST_MESSAGE)
