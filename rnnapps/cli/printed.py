"""How `predict` prints answers to inputs on the command line: columns or JSON, on the screen or to a file."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from rnnapps.cli.task import Task
from rnnapps.errors import UserError
from rnnapps.files import strict_json
from rnnapps.terminal import printable, printable_json

Printer = Callable[[int, Mapping[str, Any], Mapping[str, Any]], None]


@contextlib.contextmanager
def printer(task: Task, decoding: Any, as_json: bool, output: Path | None, overwrite: bool) -> Iterator[Printer]:
    """A function that prints an answer, given its number from 1, its row and the answer itself.

    Args:
        task: The task, which defines the columns.
        decoding: The options of the task's `decoding`.
        as_json: Whether to print one JSON object per line on the screen.
        output: The file to write, which gets its name only when it is complete; None for the screen. Its suffix
            determines its format.
        overwrite: Whether to replace it.

    Raises:
        UserError: The file has another suffix, exists or cannot be written.
    """
    asking = task.asking()
    shown = getattr(asking, "shown", dict)
    if output is None:
        numbers = itertools.count(1)

        def show(number: int, row: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
            if as_json:
                click.echo(printable_json({**shown(row), **answer}))
                return
            numbered = [(number, row, answer)]
            if hasattr(asking, "pieces"):
                numbered = [(next(numbers), *piece) for piece in asking.pieces(row, answer, decoding)]
            for piece in numbered:
                for cells in asking.lines(*piece, decoding):
                    click.echo(_line([printable(cell) for cell in cells], task.delimiter))

        yield show
        return
    from rnnapps.files import replacing
    from rnnapps.prediction.formats import check_new, output_format, table_line

    form = output_format(output, task.columns, task.outputs)
    own_table = task.delimiter == ","  # the printed lines are a table with its own header
    check_new(output, overwrite)
    try:
        with replacing(output) as partial, open(partial, "wb") as file:

            def write(number: int, row: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
                if form.delimiter is None:
                    line = strict_json({**shown(row), **answer})
                    file.write(f"{line}\n".encode(errors="backslashreplace"))
                elif own_table:
                    for cells in asking.lines(number, row, answer, decoding):
                        file.write(table_line(list(cells), form.delimiter))
                else:
                    file.write(form.line(row, answer))

            file.write(b"" if own_table else form.header)
            yield write
    except OSError as error:
        raise UserError(f"--output {output}: cannot be written: {error.strerror or error}") from None


def _line(cells: list[str], delimiter: str) -> str:
    """A line of columns; in CSV, with quotes where a cell needs them."""
    if delimiter == "\t":
        return delimiter.join(cells)
    from rnnapps.prediction.formats import table_line

    return table_line(cells, delimiter).decode().removesuffix("\n")
