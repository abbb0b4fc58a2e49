"""Raw text from arguments, or from standard input a line at a time."""

import sys
from collections.abc import Iterator, Sequence

import click

from rnnapps.errors import UserError


def input_texts(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments, or else the lines of standard input without their line breaks; a line may be empty.

    Raises:
        UserError: if there are no arguments and standard input is a terminal's.
    """
    if arguments:
        for argument in arguments:  # Python keeps bytes that are not UTF-8 as lone surrogates
            yield argument.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
        return
    if sys.stdin.isatty():
        raise UserError('no input: give texts as arguments ("..."), or lines on standard input')
    for line in click.get_binary_stream("stdin"):
        yield line.rstrip(b"\r\n").decode("utf-8", errors="replace")
