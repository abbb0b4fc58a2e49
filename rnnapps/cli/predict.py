"""`predict`: answers of a run, an export or a server, for inputs on the command line or for a whole file."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import click

from rnnapps import options
from rnnapps.cli.app import Command
from rnnapps.cli.inputs import input_files, input_texts
from rnnapps.cli.options import COUNT, PATH, SECONDS, batch_size_option, click_options, collected, given, spelled
from rnnapps.cli.output import say
from rnnapps.cli.printed import Printer, printer
from rnnapps.cli.run_config import RunConfig, read_config, read_run
from rnnapps.cli.task import Task
from rnnapps.errors import UserError
from rnnapps.run_folder import RunFolder

_DRAWN = 10  # inputs in a picture

Row = Mapping[str, Any]


class _Asked(NamedTuple):
    """Who is asked: a run folder or an export at `path`, or the `client` of a server.

    `name` identifies it: the answers of another one must not be added to its file.
    """

    path: Path | None
    client: Any
    name: str
    kind: str


def predict_command(task: Task) -> click.Command:
    """The command `predict` of a task."""
    name = "FILE" if task.suffixes else "TEXT"
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
        strict: bool,
        batch_size: int,
        as_json: bool,
        **values: Any,
    ) -> None:
        if input is not None and output is None:
            raise UserError("--input and --output go together: name both, or give inputs as arguments")
        asked = _asked(arguments, server, model, model_version, timeout)
        inputs = arguments if server else arguments[1:]
        if input is not None and inputs:
            raise UserError(f"--input {input} takes the place of inputs: leave out {inputs[0]!r}")
        if output is not None and as_json:
            raise UserError("--json is for answers on the screen; the suffix of --output says its format")
        decoding = collected(task.decoding, values)
        asking = task.asking()
        if asked.kind != "run":
            _refuse_what_is_fixed(task, asked)
        if hasattr(asking, "check"):
            asking.check(decoding, asked.kind, input)
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
            *_server_options(task),
            *_file_options(task),
            *click_options(task.decoding),
            click.Option(["--strict"], is_flag=True, help="Stop at the first bad input instead of skipping it."),
            batch_size_option(task.batch_size),
            click.Option(["--json", "as_json"], is_flag=True, help="Print JSON: one object a line."),
        ],
        help=(
            f"Answer each {name}" + ("" if task.suffixes else ", each line of standard input") + ", or each row of"
            " --input. RUN is a run folder or an export; --server takes its place."
        ),
    )


def _server_options(task: Task) -> list[click.Option]:
    return [
        click.Option(
            ["--server"],
            metavar="URL",
            help="Ask TensorFlow Serving in place of RUN: grpc://HOST:8500 or http://HOST:8501.",
        ),
        click.Option(["--model"], default=task.name, show_default=True, help="With --server: its name for the model."),
        click.Option(["--model-version"], type=COUNT, help="With --server: version of the model.  [default: newest]"),
        click.Option(
            ["--timeout"],
            type=SECONDS,
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="With --server: longest wait for an answer, at most a day.",
        ),
    ]


def _file_options(task: Task) -> list[click.Option]:
    return [
        click.Option(["--input"], type=PATH, metavar="FILE", help="Answer a whole file of any size into --output."),
        click.Option(
            ["--output"],
            type=PATH,
            metavar="FILE",
            help="Write answers here: .csv, .tsv or .jsonl. With --input, a killed job continues where it was.",
        ),
        click.Option(["--overwrite"], is_flag=True, help="With --output: replace it."),
        *(
            click.Option(
                [f"--{column}-column"], default=column, show_default=True, help=f"With --input: column of the {column}."
            )
            for column in (*task.columns, *task.optional_columns)
        ),
        click.Option(
            ["--quoting"],
            type=click.Choice(["standard", "none"]),
            default="standard",
            show_default=True,
            help="With --input: whether quotes in .csv and .tsv quote, or are characters like any other.",
        ),
    ]


def _asked(arguments: Sequence[str], server: str | None, model: str, version: int | None, timeout: float) -> _Asked:
    if server is None:
        context = click.get_current_context()
        if not arguments:
            raise click.UsageError("Missing argument 'RUN'; or name a server with --server", context)
        for option in given(context, ("model", "model_version", "timeout")):
            raise UserError(f"{spelled(option)} goes with --server only: leave it out, or name a server")
        from rnnapps import serving

        path = Path(arguments[0])
        kind = "export" if not RunFolder(path).is_run() and serving.is_export(path) else "run"
        return _Asked(path, None, f"{path.resolve()}{_state(path)}", kind)
    if arguments and RunFolder(Path(arguments[0])).is_run():
        raise UserError(f"--server takes the place of RUN: leave out {arguments[0]}")
    from rnnapps.serving import connect
    from rnnapps.serving.clients.address import without_password

    name = " ".join([without_password(server), model, *([] if version is None else [str(version)])])
    return _Asked(None, connect(server, model, version=version, timeout=timeout), name, "server")


def _state(run: Path) -> str:
    """When a run's model was written; a version of an export never changes, but a newer one may come."""
    model = RunFolder(run).model_file
    if model.is_file():
        return f" {model.stat().st_mtime_ns}"
    versions = [int(folder.name) for folder in run.glob("[0-9]*") if folder.name.isdecimal()]
    return f" {max(versions)}" if versions else ""


def _refuse_what_is_fixed(task: Task, asked: _Asked) -> None:
    fixed = [field.name for field in dataclasses.fields(task.decoding) if not options.limits(field).free]
    for option in given(click.get_current_context(), fixed):
        raise UserError(
            f"{spelled(option)} needs the run folder: {asked.path or asked.name} is an export, which fixes it"
        )


def _predictor(task: Task, asked: _Asked, decoding: Any) -> Any:
    from rnnapps.prediction import predictor

    if asked.client is not None:
        return predictor.of_server(asked.client, task.signature)
    assert asked.path is not None
    if asked.kind == "export":
        return predictor.of_export(asked.path, task.signature)
    app, (_, _, model) = task.code(), read_run(asked.path, task)
    return predictor.of_endpoint(app.endpoints(model, decoding)[task.signature], app.about(model), model)


def _answer_rows(task: Task, predictor: Any, decoding: Any, rows: Sequence[Row]) -> list[Any]:
    """An answer to each row, or why it gets none."""
    from rnnapps.prediction.answers import Refused, answer_each
    from rnnapps.prediction.requests import ask_rows

    asking = task.asking()
    answers: list[Any] = []
    requests = []
    informed = getattr(asking, "informed", lambda row, about: row)
    for row in rows:
        try:
            requests.append(asking.request(informed(row, predictor.about), decoding))
            answers.append(None)
        except UserError as error:
            answers.append(Refused(str(error)))

    def ask(requests: list[Row]) -> list[Any]:
        outputs = ask_rows(predictor.ask, requests)
        try:
            return [asking.answer(row, predictor.about, decoding) for row in outputs]
        except KeyError as missing:
            raise UserError(
                f"a model of another kind answers: it has no output {missing}; name an export of rnn-{task.name},"
                " or the model with --model"
            ) from None
        except (AttributeError, TypeError, ValueError):
            if predictor.kind == "run":
                raise
            raise UserError(
                f"a model of another kind answers: its outputs have other types; name an export of rnn-{task.name},"
                " or the model with --model"
            ) from None

    found = iter(answer_each(ask, requests))
    for number, row in enumerate(rows):
        if answers[number] is None:
            answers[number] = next(found)
            if task.suffixes and isinstance(answers[number], Refused):  # a signature knows no names of files
                answers[number] = Refused(f"{row[task.columns[0]]}: {answers[number].reason.removeprefix('audio: ')}")
        if hasattr(asking, "placed") and not isinstance(answers[number], Refused):
            answers[number] = asking.placed(row, answers[number])
    return answers


def _answer_file(
    task: Task,
    asked: _Asked,
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

    if task.suffixes and columns:
        folder = input if input.is_dir() else input.parent
    predictor = long = None
    if hasattr(task.asking(), "open_series"):
        predictor = _predictor(task, asked, decoding)
        long = task.asking().open_series(input, columns, _config(task, asked), predictor.about, quoting)
    if long is None:
        named = {columns[column]: f"--{column}-column" for column in task.columns}
        rows = open_rows(input, tuple(named), named, suffixes=task.suffixes, quoting=quoting)
        present = {column: name for column, name in columns.items() if column in task.columns or name in rows.columns}
        rows = rows._replace(inputs=tuple(present.values()))
    else:
        rows, present = long, {column: column for column in long.inputs}
    predictor = predictor or _predictor(task, asked, decoding)

    def answer(found: list[Row]) -> list[Any]:
        inputs = [{column: row[name] for column, name in present.items()} for row in found]
        if task.suffixes:
            inputs = [
                {column: str(folder / value) if column in task.columns else value for column, value in row.items()}
                for row in inputs
            ]
        return _answer_rows(task, predictor, decoding, inputs)

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


def _stream(task: Task, asked: _Asked, decoding: Any, rows: Iterable[Row]) -> None:
    """Shows each answer of a run while it is being found."""
    assert asked.path is not None
    app, (_, _, model) = task.code(), read_run(asked.path, task)
    for row in rows:
        for piece in app.stream(model, row, decoding):
            say(piece, newline=False)
        click.echo()


def _answer_inputs(
    task: Task,
    asked: _Asked,
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
    predictor = _predictor(task, asked, decoding)
    asking = task.asking()
    if hasattr(asking, "rows"):
        rows: Iterator[Row] = asking.rows(arguments, _config(task, asked), predictor.about)
    else:
        rows = _one_input_rows(task, arguments)
    with printer(task, decoding, as_json, output, overwrite) as show:
        drawn = _show_answers(task, predictor, decoding, rows, strict, batch_size, show)
    if predictor.model is not None and hasattr(task.code(), "draw"):
        task.code().draw(predictor.model, drawn, decoding)


def _config(task: Task, asked: _Asked) -> RunConfig | None:
    """What a run was started with; None for an export or a server."""
    return read_config(asked.path, task) if asked.kind == "run" and asked.path is not None else None


def _one_input_rows(task: Task, arguments: Sequence[str]) -> Iterator[Row]:
    """A row for each text, or for each file."""
    (column,) = task.columns
    inputs = input_files(arguments, task.suffixes) if task.suffixes else input_texts(arguments)
    return ({column: value} for value in inputs)


def _show_answers(
    task: Task, predictor: Any, decoding: Any, rows: Iterator[Row], strict: bool, batch_size: int, show: Printer
) -> list[tuple[Row, Any]]:
    """Answers rows and prints the answers; returns the first ones, for a picture."""
    from rnnapps.prediction.answers import Refused

    answered = refused = 0
    drawn: list[tuple[Row, Any]] = []
    for batch in iter(lambda: list(islice(rows, batch_size)), []):
        for row, answer in zip(batch, _answer_rows(task, predictor, decoding, batch), strict=True):
            if isinstance(answer, Refused):
                if strict or not task.suffixes:
                    raise UserError(answer.reason)
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
