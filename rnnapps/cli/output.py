"""What a command prints: text from models, files and servers cannot control the terminal."""

import click

from rnnapps.terminal import printable


def say(text: object, *, err: bool = False) -> None:
    """Prints text, line by line, without what a terminal would obey.

    Args:
        text: What to print.
        err: Whether to print on standard error.
    """
    for line in str(text).split("\n"):
        click.echo(printable(line), err=err)
