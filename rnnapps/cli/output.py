"""What a command prints: text from models, files and servers cannot control the terminal."""

import click

from rnnapps.terminal import printable


def say(text: object, *, err: bool = False, newline: bool = True) -> None:
    """Prints text of any number of lines, without control characters for the terminal.

    Args:
        text: The text to print.
        err: Whether to print on standard error.
        newline: Whether to end the line.
    """
    click.echo(printable(str(text), multiline=True), nl=newline, err=err)


def one_line(message: str) -> str:
    """Click's message about a mistake, on one line and with everyday names for numbers."""
    for name, everyday in (("a valid integer range", "a whole number"), ("a valid float range", "a number")):
        message = message.replace(name, everyday)
    return " ".join(message.split())
