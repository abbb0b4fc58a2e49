"""Options from a TOML file; the command line wins over the file."""

import json
import sys
from collections.abc import Container
from pathlib import Path

import click

from rnnapps.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def config_option(command):
    """Adds `--config FILE`: a TOML file whose keys are the command's long options, with - or _."""
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="TOML file with options of this command; the command line wins.",
    )(command)


def saved_config(run: Path, *needed: str) -> dict:
    """The options that a run folder was trained with, from its config.json.

    Args:
        run: the run folder.
        needed: options that must be among them.

    Raises:
        UserError: if there is no such run, or its config.json is damaged.
    """
    path = run / "config.json"
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{run}: no run here (no config.json); name the folder that train wrote") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from None
    if not isinstance(options, dict) or (missing := [name for name in needed if name not in options]):
        lack = f"no {missing[0]!r}" if isinstance(options, dict) else "no options"
        raise UserError(f"{path}: damaged, there is {lack} in it; train anew")
    return options


def absolute_dataset(dataset: str, embedded: Container[str]) -> str:
    """The `--dataset` to write to config.json: a path as an absolute one, since evaluate may run in another folder.

    Args:
        dataset: a name or a path.
        embedded: the names that mean a data set whatever files there are.
    """
    path = Path(dataset).expanduser()
    return str(path.resolve()) if dataset not in embedded and path.exists() else dataset


def defaults_from(context: click.Context, values: dict, source: str) -> None:
    """Makes `values` the defaults of the command's options.

    Raises:
        UserError: if a value belongs to no option.
    """
    options = {parameter.name for parameter in context.command.params if isinstance(parameter, click.Option)}
    values = {name.replace("-", "_"): value for name, value in values.items()}
    if unknown := sorted(set(values) - options):
        raise UserError(f"{source}: unknown option {unknown[0]!r}; {context.command_path} --help lists them")
    context.default_map = {**(context.default_map or {}), **values}


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"--config {path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"--config {path}: {error}") from None
    defaults_from(context, values, f"--config {path}")
