"""The inputs of `predict` on the command line: texts from arguments or standard input, files from arguments."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import click

from rnnapps.cli.output import say
from rnnapps.errors import UserError
from rnnapps.files import visible_files


def input_texts(arguments: Sequence[str]) -> Iterator[str]:
    """The arguments, or else the lines of standard input without their line breaks; a line may be empty.

    Raises:
        UserError: There are no arguments, and standard input is a terminal.
    """
    if arguments:
        for argument in arguments:  # Python keeps bytes that are not UTF-8 as lone surrogates
            if _names_a_file(argument):
                say(f"warning: {argument} is read as a text; the file of this name is for --input", err=True)
            yield argument.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")
        return
    if sys.stdin.isatty():
        raise UserError('no input: give texts as arguments ("..."), or lines on standard input')
    lines: BinaryIO = click.get_binary_stream("stdin")  # type: ignore[operator]
    for number, line in enumerate(lines, start=1):
        content = line.rstrip(b"\r\n")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            say(f"warning: line {number} of standard input is not UTF-8; \ufffd replaces invalid bytes", err=True)
            text = content.decode(errors="replace")
        yield text


def _names_a_file(text: str) -> bool:
    path = Path(text)
    try:
        return bool(path.suffix) and path.is_file()
    except (OSError, ValueError):  # a text that no file can be called
        return False


def input_files(arguments: Sequence[str], suffixes: Sequence[str]) -> Iterator[str]:
    """The files among the arguments, and the files with one of the suffixes in the folders among them.

    Raises:
        UserError: There are no arguments, or no files in a folder.
    """
    if not arguments:
        raise UserError("no input: name files or folders of files")
    for argument in arguments:
        if Path(argument).is_dir():
            files = visible_files(Path(argument), suffixes)
            if not files:
                raise UserError(f"{argument}: no file in this folder ends in {', '.join(suffixes)}")
            yield from map(str, files)
        else:
            yield argument
