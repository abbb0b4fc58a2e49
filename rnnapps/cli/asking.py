"""Whom `predict` asks and about what: a run, an export or a server; inputs on the command line or a whole file."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import click

from rnnapps.cli.options import COUNT, SECONDS
from rnnapps.errors import UserError


class Files(NamedTuple):
    """--input, --output and --overwrite."""

    input: Path
    output: Path
    overwrite: bool


class Source(NamedTuple):
    """Who answers: a run folder or an export at `path`, or the `client` of a server.

    `name` says which one it is: answers of another source must not be added to its file.
    """

    path: Path | None
    client: object | None
    name: str

    @property
    def exported(self) -> bool:
        """Whether `path` is an export; a run folder that also holds numbered folders is none."""
        from rnnapps import serving

        return not (self.path / "config.json").exists() and serving.is_export(self.path)

    def ask_server(self, outputs: Sequence[str], *, signature: str = "serving_default", **inputs) -> list:
        """The named outputs of the server's model.

        Raises:
            UserError: no answer, or one of another kind of model.
        """
        found = self.client.predict(inputs, signature=signature)
        if missing := [name for name in outputs if name not in found]:
            raise UserError(f"{self.name}: another kind of model, it answers no {missing[0]!r}; name one with --model")
        return [found[name] for name in outputs]


def asking_options(inputs: str, model: str):
    """RUN and inputs, or --server and inputs; --input and --output in place of inputs.

    The command is called with `source`, a `Source`; `inputs`, the arguments after RUN; and `files`, a `Files` or None.

    Args:
        inputs: what the help calls an input, in capitals.
        model: the name under which a server knows the model unless --model says another.
    """

    def decorate(command):
        @functools.wraps(command)
        def asked(arguments, server, model, model_version, timeout, input, output, overwrite, **others):
            if (input is None) != (output is None):
                raise UserError("--input and --output go together: name both, or give inputs as arguments")
            source = _source(arguments, server, model, model_version, timeout)
            given = arguments if server else arguments[1:]
            if input is not None and given:
                raise UserError(f"--input {input} takes the place of inputs: leave out {given[0]!r}")
            if input is not None and others.get("as_json"):
                raise UserError("--json is for answers on the screen; the suffix of --output says its format")
            files = Files(input, output, overwrite) if input is not None else None
            try:
                return command(source=source, inputs=given, files=files, **others)
            finally:
                if source.client is not None:
                    source.client.close()

        for option in reversed(_options(inputs, model)):
            asked = option(asked)
        return asked

    return decorate


def _options(inputs: str, model: str) -> list:
    path = click.Path(path_type=Path)
    return [
        click.argument("arguments", nargs=-1, metavar=f"[RUN] [{inputs}]..."),
        click.option(
            "--server",
            metavar="URL",
            help="Ask TensorFlow Serving in place of RUN: grpc://HOST:8500 or http://HOST:8501.",
        ),
        click.option("--model", default=model, show_default=True, help="With --server: its name for the model."),
        click.option("--model-version", type=COUNT, help="With --server: the model's version.  [default: the newest]"),
        click.option(
            "--timeout",
            type=SECONDS,
            default=60.0,
            show_default=True,
            metavar="SECONDS",
            help="With --server: longest wait for an answer, up to a day.",
        ),
        click.option("--input", type=path, metavar="FILE", help="Answer a whole file, however large, into --output."),
        click.option(
            "--output",
            type=path,
            metavar="FILE",
            help="With --input: .csv, .tsv or .jsonl. A job that was killed goes on where it was.",
        ),
        click.option("--overwrite", is_flag=True, help="With --output: replace it."),
    ]


def _source(arguments: tuple[str, ...], server: str | None, model: str, version: int | None, timeout: float) -> Source:
    if server is None:
        context = click.get_current_context()
        if not arguments:
            raise click.UsageError("Missing argument 'RUN'; or name a server with --server", context)
        for option in ("model", "model_version", "timeout"):
            if context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE:
                raise UserError(f"--{option.replace('_', '-')} goes with --server only: leave it out, or name a server")
        path = Path(arguments[0])
        return Source(path, None, f"{path.resolve()}{_changed(path)}")
    if arguments and (Path(arguments[0]) / "config.json").is_file():
        raise UserError(f"--server takes the place of RUN: leave out {arguments[0]}")
    from rnnapps.serving.clients.client import connect

    name = f"{server} {model}" if version is None else f"{server} {model} {version}"
    return Source(None, connect(server, model, version=version, timeout=timeout), name)


def _changed(run: Path) -> str:
    """When a run's model was written; a version of an export never changes, but a newer one may come."""
    model = run / "model.keras"
    if model.is_file():
        return f" {model.stat().st_mtime_ns}"
    versions = [int(folder.name) for folder in run.glob("[0-9]*") if folder.name.isdecimal()]
    return f" {max(versions)}" if versions else ""
