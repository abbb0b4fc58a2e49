"""Options from a TOML file; the command line takes precedence."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rnnapps.cli.output import one_line
from rnnapps.errors import UserError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def config_option() -> click.Option:
    """`--config FILE`: a TOML file whose keys are the command's long options, with - or _."""
    return click.Option(
        ["--config"],
        type=click.Path(path_type=Path, dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="TOML file with options of this command; options on the command line take precedence.",
    )


def set_defaults(context: click.Context, values: Mapping[str, Any], source: str) -> None:
    """Makes `values` the defaults of the command's options.

    Raises:
        UserError: A value belongs to no option, or is not valid for its option.
    """
    options = {
        one.name: one for one in context.command.params if isinstance(one, click.Option) and one.name != "config"
    }
    values = {name.replace("-", "_"): value for name, value in values.items()}
    if unknown := sorted(set(values) - set(options)):
        raise UserError(f"{source}: unknown option {unknown[0]!r}; {context.command_path} --help lists them")
    for name, value in values.items():
        try:
            options[name].type_cast_value(context, value)
        except click.BadParameter as error:
            raise UserError(f"{source}: {name.replace('_', '-')}: {one_line(error.message)}") from None
    context.default_map = {**(context.default_map or {}), **values}


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """The content of a TOML file that an option names.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{option} {path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{option} {path}: {error}") from None


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        set_defaults(context, read_toml(path, "--config"), f"--config {path}")
