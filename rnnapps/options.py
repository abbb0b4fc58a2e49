"""Options as dataclass fields: one declaration for the command line, `config.json`, keyword arguments and `get_config`.

    @dataclass(frozen=True)
    class Model:
        cell: str = option("lstm", "Recurrent cell.", choices=("rnn", "gru", "lstm"))
        units: int = option(128, "Width of a recurrent layer.", minimum=1)

`rnnapps.cli` makes a command-line option of each field. `as_json` and `from_json` write and read the values.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rnnapps.errors import UserError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Options = TypeVar("Options", bound="DataclassInstance")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a field accepts, and what the command line says of it.

    Attributes:
        help: One sentence for `--help`.
        choices: The values allowed, or None for any.
        minimum, maximum: Inclusive bounds of a number (for a sequence: of each element).
        above, below: Exclusive bounds of a number.
        metavar: What `--help` calls the value.
        flags: The command-line spelling where it is not `--name`, for example `"--causal/--bidirectional"`.
        missing: What `--help` says is the default of a field whose default is None.
        fixed: Whether the value belongs to a run, so that `evaluate` cannot change it.
        data: Whether the value names the data.
        located: Whether the value belongs to particular data: naming other data brings back the default.
        shown: Whether it only says how `predict` shows answers, so that no other command takes it.
        free: Whether it can still be chosen when an export is asked, which fixes the other options of its kind.
        requested: Whether every request says it: an export leaves it open, and `export` has no such option.
    """

    help: str
    choices: tuple[str, ...] | None = None
    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    metavar: str | None = None
    flags: str | None = None
    missing: str | None = None
    fixed: bool = False
    data: bool = False
    located: bool = False
    shown: bool = False
    free: bool = False
    requested: bool = False


def option(default: Any, help: str, **limits: Any) -> Any:
    """Declares an option as a dataclass field.

    Args:
        default: The default value. None makes an option that may be left out.
        help: One sentence for `--help`.
        **limits: See `Limits`.

    Returns:
        A dataclass field.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Model:
        ...     units: int = option(128, "Width of a recurrent layer.", minimum=1)
        >>> from_json(Model, {"units": 0}, "config.json")
        Traceback (most recent call last):
        ...
        rnnapps.errors.UserError: config.json: units must be at least 1, got 0
    """
    metadata = {"limits": Limits(help, **limits)}
    if isinstance(default, list | tuple):
        return dataclasses.field(default_factory=lambda: tuple(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def inherited(base: type, name: str, default: Any, **changed: Any) -> Any:
    """A field of a base class again, with another default, and other limits where they are given.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Model:
        ...     units: int = option(128, "Width of a recurrent layer.", minimum=1)
        >>> @dataclasses.dataclass(frozen=True)
        ... class Small(Model):
        ...     units: int = inherited(Model, "units", 8)
        >>> Small().units, limits(dataclasses.fields(Small)[0]).help
        (8, 'Width of a recurrent layer.')
    """
    (field,) = (field for field in dataclasses.fields(base) if field.name == name)
    return option(default, **dataclasses.asdict(limits(field)) | changed)


def limits(field: dataclasses.Field) -> Limits:
    """The `Limits` of a field that `option` declared."""
    return field.metadata["limits"]


def default(field: dataclasses.Field) -> Any:
    """The default value of a field."""
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def kind(owner: type, field: dataclasses.Field) -> tuple[type, bool, bool]:
    """The type of one value of a field: the type itself, whether it is a sequence of them, and whether it may be None.

    Example:
        >>> @dataclasses.dataclass
        ... class Model:
        ...     convolutions: tuple[int, ...] = option((16, 32), "Channels.")
        ...     truncate: int | None = option(None, "Steps.")
        >>> [kind(Model, field) for field in dataclasses.fields(Model)]
        [(<class 'int'>, True, False), (<class 'int'>, False, True)]
    """
    hint = typing.get_type_hints(owner)[field.name]
    optional = isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union
    if optional:
        (hint,) = (part for part in typing.get_args(hint) if part is not type(None))
    if typing.get_origin(hint) is tuple:
        return typing.get_args(hint)[0], True, optional
    return hint, False, optional


def as_json(options: Any) -> dict[str, Any]:
    """The values of a dataclass as JSON can hold them: paths as strings, sequences as lists."""

    def plain(value: Any) -> Any:
        if isinstance(value, Path):
            return str(value)
        return [plain(part) for part in value] if isinstance(value, list | tuple) else value

    return {field.name: plain(getattr(options, field.name)) for field in dataclasses.fields(options)}


def from_json(owner: type[Options], values: Mapping[str, Any], where: str) -> Options:
    """Makes a dataclass from the values that `as_json` gave.

    Args:
        owner: The dataclass.
        values: Its values by field name.
        where: What to call the place of the values in an error message, such as the path of a file.

    Raises:
        UserError: A value is missing, unknown, of the wrong type or out of bounds.
    """
    fields = {field.name: field for field in dataclasses.fields(owner)}
    if unknown := sorted(set(values) - set(fields)):
        raise UserError(f"{where}: unknown option {unknown[0]!r}")
    if missing := [name for name in fields if name not in values]:
        raise UserError(f"{where}: option {missing[0]!r} is missing")
    return owner(**{name: _value(owner, field, values[name], where) for name, field in fields.items()})


def from_keywords(owner: type[Options], values: Mapping[str, Any], where: str) -> Options:
    """Makes a dataclass from keyword arguments, checked as `from_json` does; what is left out has its default.

    Args:
        owner: The dataclass.
        values: Values by field name.
        where: What to call the place of the values in an error message, such as the name of a class.

    Raises:
        UserError: A value is unknown, of the wrong type or out of bounds.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Model:
        ...     units: int = option(128, "Width of a recurrent layer.", minimum=1)
        >>> from_keywords(Model, {}, "Classifier")
        Model(units=128)
        >>> from_keywords(Model, {"units": "many"}, "Classifier")
        Traceback (most recent call last):
        ...
        rnnapps.errors.UserError: Classifier: units must be a whole number, got 'many'
    """
    defaults = {field.name: default(field) for field in dataclasses.fields(owner)}
    return from_json(owner, {**defaults, **values}, where)


def _value(owner: type, field: dataclasses.Field, value: Any, where: str) -> Any:
    one, several, optional = kind(owner, field)
    if value is None and optional:
        return None
    if several:
        if not isinstance(value, list | tuple):
            raise UserError(f"{where}: {field.name} must be a list, got {value!r}")
        return tuple(_one(one, field, part, where) for part in value)
    return _one(one, field, value, where)


def _one(one: type, field: dataclasses.Field, value: Any, where: str) -> Any:
    if one is Path and isinstance(value, str):
        return Path(value)
    if one is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, one) or (one is int and isinstance(value, bool)):
        raise UserError(f"{where}: {field.name} must be {_article(one)}, got {value!r}")
    if problem := out_of_bounds(limits(field), value):
        raise UserError(f"{where}: {field.name} must be {problem}, got {value!r}")
    return value


def out_of_bounds(bounds: Limits, value: Any) -> str | None:
    """What a value should be, as the end of a sentence; None if it is within its bounds."""
    if bounds.choices is not None and value not in bounds.choices:
        return f"one of {', '.join(bounds.choices)}"
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if not math.isfinite(value):
        return "a finite number"
    for bound, outside, words in (
        (bounds.minimum, lambda bound: value < bound, "at least"),
        (bounds.maximum, lambda bound: value > bound, "at most"),
        (bounds.above, lambda bound: value <= bound, "greater than"),
        (bounds.below, lambda bound: value >= bound, "less than"),
    ):
        if bound is not None and outside(bound):
            return f"{words} {bound:g}"
    return None


def _article(one: type) -> str:
    return {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}.get(one, one.__name__)


def redirected(source: Options, values: Mapping[str, Any]) -> Options:
    """A copy of a dataclass with other values; None leaves a field as it is.

    Where one of the values names other data, the fields that name or belong to data go back to their defaults first:
    what belonged to the old data says nothing about the new.
    """
    values = {name: value for name, value in values.items() if value is not None}
    fields = dataclasses.fields(source)
    of_data = {field.name: default(field) for field in fields if limits(field).data or limits(field).located}
    return dataclasses.replace(source, **(of_data if name_data(source, values) else {}) | values)


def name_data(owner: Options | type[Options], values: Mapping[str, Any]) -> bool:
    """Whether one of the values names data."""
    return any(limits(field).data and values.get(field.name) is not None for field in dataclasses.fields(owner))


def changed(options: Options, *names: str) -> dict[str, Any]:
    """Those of the named options whose value is not the default, by name."""
    values = {field.name: (getattr(options, field.name), default(field)) for field in dataclasses.fields(options)}
    return {name: values[name][0] for name in names if values[name][0] != values[name][1]}


def names(owner: type) -> Sequence[str]:
    """The names of a dataclass's fields."""
    return tuple(field.name for field in dataclasses.fields(owner))
