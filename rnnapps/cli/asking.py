"""The run, export or server that a command asks, and its answers to rows; shared by `predict` and `try`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from rnnapps import options
from rnnapps.cli.options import COUNT, SECONDS, collected, given, spelled
from rnnapps.cli.run_config import RunConfig, read_config, read_run
from rnnapps.cli.task import Task
from rnnapps.errors import UserError
from rnnapps.run_folder import RunFolder

Row = Mapping[str, Any]


class Asked(NamedTuple):
    """What is asked: a run folder or an export at `path`, or the `client` of a server.

    `name` identifies it: answers of another model must not be added to its file.
    """

    path: Path | None
    client: Any
    name: str
    kind: str


def server_options(task: Task) -> list[click.Option]:
    """The options that name a server instead of a run or an export."""
    return [
        click.Option(
            ["--server"],
            metavar="URL",
            help="Ask TensorFlow Serving instead of RUN: grpc://HOST:8500 or http://HOST:8501.",
        ),
        click.Option(["--model"], default=task.name, show_default=True, help="With --server: name of the model."),
        click.Option(["--model-version"], type=COUNT, help="With --server: version of the model.  [default: newest]"),
        click.Option(
            ["--timeout"],
            type=SECONDS,
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="With --server: maximum wait for an answer, at most a day.",
        ),
    ]


def who_is_asked(
    arguments: Sequence[str], server: str | None, model: str, version: int | None, timeout: float
) -> Asked:
    """What the first argument of a command names, or the server of `--server`.

    Args:
        arguments: Those of the command; the first one is a run folder or an export, unless a server is asked.
        server, model, version, timeout: The values of `server_options`.

    Raises:
        UserError: Neither is named, or options do not go together.
    """
    if server is None:
        context = click.get_current_context()
        if not arguments:
            raise click.UsageError("Missing argument 'RUN'; name a run or export, or a server with --server", context)
        for option in given(context, ("model", "model_version", "timeout")):
            raise UserError(f"{spelled(option)} needs --server: leave it out, or name a server")
        from rnnapps import serving

        path = Path(arguments[0])
        kind = "export" if not RunFolder(path).is_run() and serving.is_export(path) else "run"
        return Asked(path, None, f"{path.resolve()}{_state(path)}", kind)
    if arguments and RunFolder(Path(arguments[0])).is_run():
        raise UserError(f"--server takes the place of RUN: leave out {arguments[0]}")
    from rnnapps.serving import connect
    from rnnapps.serving.clients.address import without_password

    name = " ".join([without_password(server), model, *([] if version is None else [str(version)])])
    return Asked(None, connect(server, model, version=version, timeout=timeout), name, "server")


def _state(run: Path) -> str:
    """When a run's model was written. A version of an export never changes, but a newer one may appear."""
    model = RunFolder(run).model_file
    if model.is_file():
        return f" {model.stat().st_mtime_ns}"
    versions = [int(folder.name) for folder in run.glob("[0-9]*") if folder.name.isdecimal()]
    return f" {max(versions)}" if versions else ""


def decoding_of(task: Task, asked: Asked, values: Mapping[str, Any], input: Path | None = None) -> Any:
    """The options of the task's `decoding`, checked.

    Args:
        task: The task.
        asked: Who is asked.
        values: The values of the command's options.
        input: The file of `--input`.

    Raises:
        UserError: An export fixes an option, or options do not go together.
    """
    decoding = collected(task.decoding, values)
    if asked.kind != "run":
        _refuse_what_is_fixed(task, asked)
    if hasattr(task.asking(), "check"):
        task.asking().check(decoding, asked.kind, input)
    return decoding


def _refuse_what_is_fixed(task: Task, asked: Asked) -> None:
    limits = {field.name: options.limits(field) for field in dataclasses.fields(task.decoding)}
    fixed = [name for name, one in limits.items() if not (one.free or one.requested)]
    for option in given(click.get_current_context(), fixed):
        found = f"{asked.path} is an export" if asked.kind == "export" else "it is fixed in the model of a server"
        raise UserError(f"{spelled(option)} needs the run folder: {found}")


def predictor_of(task: Task, asked: Asked, decoding: Any, signature: str | None = None, model: Any = None) -> Any:
    """The `rnnapps.prediction.predictor.Predictor` that asks a signature.

    Args:
        task: The task.
        asked: Who is asked.
        decoding: The options of the task's `decoding`.
        signature: The signature; by default that of the task.
        model: The model of a run, if it is loaded already.
    """
    from rnnapps.prediction import predictor

    signature = signature or task.signature
    if asked.client is not None:
        return predictor.of_server(asked.client, signature)
    assert asked.path is not None
    if asked.kind == "export":
        return predictor.of_export(asked.path, signature)
    app = task.code()
    if model is None:
        _, _, model = read_run(asked.path, task)
    return predictor.of_endpoint(app.endpoints(model, decoding)[signature], app.about(model), model)


def answer_rows(task: Task, predictor: Any, decoding: Any, rows: Sequence[Row]) -> list[Any]:
    """An answer to each row, or the reason why it gets none."""
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
                f"wrong kind of model: it has no output {missing}; name an export of rnn-{task.name},"
                " or the model with --model"
            ) from None
        except (AttributeError, TypeError, ValueError):
            if predictor.kind == "run":
                raise
            raise UserError(
                f"wrong kind of model: its outputs have the wrong types; name an export of rnn-{task.name},"
                " or the model with --model"
            ) from None

    found = iter(answer_each(ask, requests))
    for number, row in enumerate(rows):
        if answers[number] is None:
            answers[number] = next(found)
            if task.suffixes and isinstance(answers[number], Refused):  # a signature does not know file names
                answers[number] = Refused(f"{row[task.columns[0]]}: {answers[number].reason.removeprefix('audio: ')}")
        if hasattr(asking, "placed") and not isinstance(answers[number], Refused):
            answers[number] = asking.placed(row, answers[number])
    return answers


def config_of(task: Task, asked: Asked) -> RunConfig | None:
    """What a run was started with; None for an export or a server."""
    return read_config(asked.path, task) if asked.kind == "run" and asked.path is not None else None
