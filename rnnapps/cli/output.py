"""What a command prints: text from models, files and servers cannot control the terminal."""

import click

from rnnapps.terminal import printable


def say(text: object, *, err: bool = False, newline: bool = True) -> None:
    """Prints text of any number of lines, without the characters that a terminal would obey.

    Args:
        text: The text to print.
        err: Whether to print on standard error.
        newline: Whether to end the line.
    """
    click.echo(printable(str(text), multiline=True), nl=newline, err=err)
