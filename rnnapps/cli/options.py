"""Dataclass fields as Click options: names, types, bounds, defaults and help come from `rnnapps.options`."""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from rnnapps import options


class _Whole(click.IntRange):
    """A whole number within bounds. Click's own type truncates 1.5 from a TOML file to 1."""

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> int:
        if isinstance(value, bool | float):
            self.fail(f"{value!r} is not a whole number", parameter, context)
        return super().convert(value, parameter, context)


class _Finite(click.FloatRange):
    """A finite number within bounds. Click's own type accepts NaN within any bounds."""

    def _describe_range(self) -> str:
        return "" if self.min is None and self.max is None else super()._describe_range()

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        number = super().convert(value, parameter, context)
        if isinstance(value, bool) or not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", parameter, context)
        return number


class Several(click.ParamType):
    """Comma-separated values of a type; "0" or nothing for an empty list."""

    name = "list"

    def __init__(self, one: click.ParamType):
        self.one = one

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> tuple[Any, ...]:
        if not isinstance(value, str | list | tuple):
            self.fail(f"expected a list, got {value!r}", parameter, context)
        parts = value.split(",") if isinstance(value, str) else list(value)
        parts = [part.strip() if isinstance(part, str) else part for part in parts]
        parts = [] if parts in (["0"], [0]) else [part for part in parts if part != ""]
        return tuple(self.one.convert(part, parameter, context) for part in parts)


COUNT = _Whole(1)
PORT = _Whole(1, 65_535)
SECONDS = _Finite(0, 86_400, min_open=True)
POSITIVE = _Finite(0, min_open=True)
PATH = click.Path(path_type=Path)


def batch_size_option(default: int) -> click.Option:
    """`--batch-size` of commands that answer."""
    return click.Option(
        ["--batch-size"], type=COUNT, default=default, show_default=True, help="Number of inputs answered at once."
    )


def run_argument() -> click.Argument:
    """The argument RUN: a run folder."""
    return click.Argument(["run"], type=PATH)


def click_options(owner: type | Any, *, inherited: bool = False, without: Sequence[str] = ()) -> list[click.Option]:
    """The command-line options of a dataclass.

    Args:
        owner: The dataclass, or an instance of it whose values are the defaults.
        inherited: Whether an option that is left out keeps the value of a run: its default is then None, and options
            that belong to the run are not offered.
        without: Kinds of options to leave out, as in `Limits`, for example "shown".

    Returns:
        An option for each field.
    """
    kind = owner if isinstance(owner, type) else type(owner)
    found = []
    fields = [(field, options.limits(field)) for field in dataclasses.fields(kind)]
    # Options for the data come first in the help.
    for field, limits in sorted(fields, key=lambda pair: not (pair[1].data or pair[1].located)):
        if (inherited and limits.fixed) or any(getattr(limits, name) for name in without):
            continue
        default = options.default(field) if isinstance(owner, type) else getattr(owner, field.name)
        found.append(_option(kind, field, limits, default, inherited))
    return found


def _option(
    kind: type, field: dataclasses.Field, limits: options.Limits, default: Any, inherited: bool
) -> click.Option:
    one, several, _ = options.kind(kind, field)
    name = f"--{field.name.replace('_', '-')}"
    flags = limits.flags or name
    arguments: dict[str, Any] = {"help": limits.help, "metavar": limits.metavar, "default": default}
    if one is bool:
        arguments |= {"is_flag": True, "metavar": None}
    else:
        value_type = _type(one, limits)
        arguments["type"] = Several(value_type) if several else value_type
    if inherited:
        arguments |= {"default": None, "show_default": "the run's"}
    elif default is None:
        arguments["show_default"] = limits.missing or False
    elif one is bool and "/" not in flags:
        arguments["show_default"] = False
    elif several:
        arguments |= {"default": default, "show_default": ",".join(map(str, default)) or False}
    else:
        arguments["show_default"] = True
    return click.Option([flags, field.name], **arguments)


def _type(one: type, limits: options.Limits) -> click.ParamType:
    if limits.choices is not None:
        return click.Choice(limits.choices)
    if one is Path:
        return PATH
    if one is str:
        return click.STRING
    least, most = (
        limits.minimum if limits.above is None else limits.above,
        limits.maximum if limits.below is None else limits.below,
    )
    if one is int:
        return _Whole(least if least is None else int(least), most if most is None else int(most))
    return _Finite(least, most, min_open=limits.above is not None, max_open=limits.below is not None)


def collected(owner: type | Any, values: Mapping[str, Any]) -> Any:
    """The dataclass that the values of a command's options make."""
    kind = owner if isinstance(owner, type) else type(owner)
    return kind(**{name: values[name] for name in options.names(kind) if name in values})


def given(context: click.Context, names: Iterable[str]) -> list[str]:
    """The options among `names` that were given on the command line."""
    return [name for name in names if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]


def spelled(name: str) -> str:
    """An option's name as a person types it: "--batch-size"."""
    return f"--{name.replace('_', '-')}"
