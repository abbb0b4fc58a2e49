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
    if tables := [name for name, value in values.items() if isinstance(value, dict)]:
        raise UserError(f"{source}: [{tables[0]}] is a table; put all options at the top, without tables")
    if unknown := sorted(set(values) - set(options)):
        raise UserError(f"{source}: unknown option {unknown[0]!r}; {context.command_path} --help lists them")
    for name, value in values.items():
        try:
            _check_type(options[name], value)
            options[name].type_cast_value(context, value)
        except click.BadParameter as error:
            raise UserError(f"{source}: {name.replace('_', '-')}: {one_line(error.message)}") from None
    context.default_map = {**(context.default_map or {}), **values}


def _check_type(option: click.Option, value: Any) -> None:
    """Refuses what Click would turn into text, or take for yes or no."""
    if value is None:  # in the configuration of a run: left out
        return
    if option.is_flag and not isinstance(value, bool):
        raise click.BadParameter(f"must be true or false, got {value!r}")
    is_text = isinstance(option.type, click.types.StringParamType | click.Path)
    if is_text and not option.multiple and not isinstance(value, str):
        raise click.BadParameter(f"must be text, got {value!r}")


def read_toml(path: Path, option: str) -> dict[str, Any]:
    """The content of a TOML file that an option names.

    Raises:
        UserError: It cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{option} {path}: no such file") from None
    except UnicodeDecodeError:
        raise UserError(f"{option} {path}: not a text file in UTF-8") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{option} {path}: {error}") from None


def _read(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    if path is not None:
        set_defaults(context, read_toml(path, "--config"), f"--config {path}")
