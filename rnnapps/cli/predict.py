"""`predict`: answers of a run, an export or a server, for inputs on the command line or for a whole file."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rnnapps import options
from rnnapps.cli.app import Command
from rnnapps.cli.asking import (
    Asked,
    Row,
    answer_rows,
    config_of,
    decoding_of,
    predictor_of,
    server_options,
    who_is_asked,
)
from rnnapps.cli.inputs import input_files, input_texts
from rnnapps.cli.options import PATH, batch_size_option, click_options, given, spelled
from rnnapps.cli.output import say
from rnnapps.cli.printed import Printer, printer
from rnnapps.cli.run_config import read_run
from rnnapps.cli.task import Task
from rnnapps.datasets.sources import QUOTINGS
from rnnapps.errors import UserError
from rnnapps.terminal import shortened

if TYPE_CHECKING:
    from rnnapps.datasets.rows import Rows

_DRAWN = 10  # inputs in a picture
_NAMED = 40  # characters of an input in a message


def predict_command(task: Task) -> click.Command:
    """The command `predict` of a task."""
    name = task.argument or ("FILE" if task.suffixes else "TEXT")
    stop = "Stop at the first bad input instead of skipping it."
    columns = [f"{column}_column" for column in (*task.columns, *task.optional_columns)]

    def predict(
        arguments: tuple[str, ...],
        server: str | None,
        model: str,
        model_version: int | None,
        timeout: float,
        input: Path | None,
        output: Path | None,
        overwrite: bool,
        quoting: str,
        batch_size: int,
        as_json: bool,
        strict: bool = True,
        **values: Any,
    ) -> None:
        if input is not None and output is None:
            raise UserError("--input and --output go together: name both, or give inputs as arguments")
        for option in given(click.get_current_context(), [*columns, "quoting"] if input is None else []):
            raise UserError(f"{spelled(option)} needs --input; leave it out, or name a file")
        if task.suffixes and strict and input is not None:
            raise UserError(
                "--strict is for inputs on the command line; bad rows of --input are listed in a file next to --output"
            )
        if overwrite and output is None:
            raise UserError("--overwrite needs --output; leave it out, or name a file")
        asked = who_is_asked(arguments, server, model, model_version, timeout)
        inputs = arguments if server else arguments[1:]
        if input is not None and inputs:
            raise UserError(f"--input {input} replaces inputs on the command line: leave out {inputs[0]!r}")
        if output is not None and as_json:
            raise UserError("--json is for answers on the screen; the suffix of --output sets its format")
        if output is not None and values.get("format", "text") != "text":
            raise UserError(
                f"--format {values['format']} is for answers on the screen; the suffix of --output sets its format"
            )
        decoding = decoding_of(task, asked, values, input)
        try:
            if input is not None and output is not None:
                every = (*task.columns, *task.optional_columns)
                named = {column: values[option] for column, option in zip(every, columns, strict=True)}
                _answer_file(task, asked, decoding, named, input, output, overwrite, quoting, batch_size)
            else:
                _answer_inputs(task, asked, decoding, inputs, strict, batch_size, as_json, output, overwrite)
        finally:
            if asked.client is not None:
                asked.client.close()

    return Command(
        "predict",
        callback=predict,
        params=[
            click.Argument(["arguments"], nargs=-1, metavar=f"[RUN] [{name}]..."),
            *server_options(task),
            *_file_options(task),
            *click_options(task.decoding),
            *([click.Option(["--strict"], is_flag=True, help=stop)] if task.suffixes else []),
            batch_size_option(task.batch_size),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON: one object per line."),
        ],
        help=(
            f"Run the model on each {name}"
            + (", each line of standard input" if name == "TEXT" else "")
            + ", or each row of"
            " --input. RUN is a run folder or an export; --server takes its place."
        ),
    )


def _file_options(task: Task) -> list[click.Option]:
    return [
        click.Option(
            ["--input"],
            type=PATH,
            metavar="FILE",
            help="Run the model on every row of a file of any size; needs --output.",
        ),
        click.Option(
            ["--output"],
            type=PATH,
            metavar="FILE",
            help="Write answers here: .csv, .tsv or .jsonl. With --input, a killed job resumes where it stopped.",
        ),
        click.Option(["--overwrite"], is_flag=True, help="With --output: replace an existing file."),
        *(
            click.Option(
                [f"--{column}-column"],
                default=column,
                show_default=True,
                help=f"With --input: the column to read as {column}.",
            )
            for column in (*task.columns, *task.optional_columns)
        ),
        click.Option(
            ["--quoting"],
            type=click.Choice(QUOTINGS),
            default=QUOTINGS[0],
            show_default=True,
            help="With --input: whether quotes in .csv and .tsv enclose fields, or are ordinary characters.",
        ),
    ]


def _answer_file(
    task: Task,
    asked: Asked,
    decoding: Any,
    columns: Mapping[str, str],
    input: Path,
    output: Path,
    overwrite: bool,
    quoting: str,
    batch_size: int,
) -> None:
    from rnnapps.datasets.rows import open_rows
    from rnnapps.prediction.files import predict_file

    if task.suffixes:
        folder = input if input.is_dir() else input.parent
    predictor = long = None
    if hasattr(task.asking(), "open_series"):
        predictor = predictor_of(task, asked, decoding)
        long = task.asking().open_series(input, columns, config_of(task, asked), predictor.about, quoting)
    if long is None:
        named = {columns[column]: f"--{column}-column" for column in task.columns}
        rows = open_rows(input, tuple(named), named, suffixes=task.suffixes, quoting=quoting)
        rows, names = rows._replace(optional=_optional_columns(task, columns, rows)), columns
    else:
        rows, names = long, {column: column for column in long.inputs}
    predictor = predictor or predictor_of(task, asked, decoding)

    def answer(found: list[Row]) -> list[Any]:
        inputs = [{column: row[name] for column, name in names.items() if name in row} for row in found]
        if task.suffixes:
            inputs = [
                {column: str(folder / str(value)) if column in task.columns else value for column, value in row.items()}
                for row in inputs
            ]
        return answer_rows(task, predictor, decoding, inputs)

    source = f"{asked.name} {decoding}" if options.names(task.decoding) else asked.name
    predict_file(
        rows,
        answer,
        output=output,
        overwrite=overwrite,
        outputs=task.outputs,
        source=source,
        batch_size=batch_size,
    )


def _optional_columns(task: Task, columns: Mapping[str, str], rows: Rows) -> tuple[str, ...]:
    """The names of the optional columns that rows may have.

    Raises:
        UserError: One that an option names is not there.
    """
    from rnnapps.datasets.rows import JSON_LINES

    if rows.path.suffix.lower() in JSON_LINES:
        return tuple(columns[column] for column in task.optional_columns)  # any object may have them
    for option in given(click.get_current_context(), [f"{column}_column" for column in task.optional_columns]):
        name = columns[option.removesuffix("_column")]
        if name not in rows.columns:
            found = ", ".join(map(repr, rows.columns))
            raise UserError(f"{rows.path}: there is no column {name!r} for {spelled(option)}; the columns are {found}")
    return tuple(columns[column] for column in task.optional_columns if columns[column] in rows.columns)


def _stream(task: Task, asked: Asked, decoding: Any, rows: Iterable[Row]) -> None:
    """Shows each answer of a run while it is being found."""
    assert asked.path is not None
    app, (_, _, model) = task.code(), read_run(asked.path, task)
    for row in rows:
        for piece in app.stream(model, row, decoding):
            say(piece, newline=False)
        click.echo()


def _answer_inputs(
    task: Task,
    asked: Asked,
    decoding: Any,
    arguments: Sequence[str],
    strict: bool,
    batch_size: int,
    as_json: bool,
    output: Path | None,
    overwrite: bool,
) -> None:
    on_screen = not as_json and output is None and sys.stdout.isatty()
    if asked.kind == "run" and on_screen and hasattr(task.code(), "stream"):
        _stream(task, asked, decoding, _one_input_rows(task, arguments))
        return
    predictor = predictor_of(task, asked, decoding)
    asking = task.asking()
    if hasattr(asking, "rows"):
        rows: Iterator[Row] = asking.rows(arguments, config_of(task, asked), predictor.about)
    else:
        rows = _one_input_rows(task, arguments)
    with printer(task, decoding, as_json, output, overwrite) as show:
        drawn = _show_answers(task, predictor, decoding, rows, strict, batch_size, show)
    if predictor.model is not None and hasattr(task.code(), "draw"):
        task.code().draw(predictor.model, drawn, decoding)


def _one_input_rows(task: Task, arguments: Sequence[str]) -> Iterator[Row]:
    """A row for each text, or for each file."""
    (column,) = task.columns
    inputs = input_files(arguments, task.suffixes) if task.suffixes else input_texts(arguments)
    return ({column: value} for value in inputs)


def _named(row: Row) -> str:
    """The text of a row, or the name of its series, for the beginning of a message."""
    name = next((value for value in row.values() if isinstance(value, str)), "")
    return f"{shortened(name, _NAMED)!r}: " if name else ""


def _show_answers(
    task: Task, predictor: Any, decoding: Any, rows: Iterator[Row], strict: bool, batch_size: int, show: Printer
) -> list[tuple[Row, Any]]:
    """Answers rows and prints the answers; returns the first ones, for a picture."""
    from rnnapps.prediction.answers import Refused

    answered = refused = 0
    drawn: list[tuple[Row, Any]] = []
    for batch in iter(lambda: list(islice(rows, batch_size)), []):
        for row, answer in zip(batch, answer_rows(task, predictor, decoding, batch), strict=True):
            if isinstance(answer, Refused):
                if strict:
                    raise UserError(answer.reason if task.suffixes else _named(row) + answer.reason)
                refused += 1
                say(f"skipped: {answer.reason}", err=True)
                continue
            answered += 1
            show(answered + refused, row, answer)
            if len(drawn) < _DRAWN:
                drawn.append((row, answer))
    if refused and not answered:
        raise UserError(f"none of the {refused} inputs could be answered")
    if refused:
        click.echo(f"{answered} answered, {refused} skipped", err=True)
    return drawn
