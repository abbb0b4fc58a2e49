"""What `tune` tries: the options that vary, each with its choices or its range."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnnapps import options
from rnnapps.cli.config import read_toml
from rnnapps.cli.run_config import RunConfig
from rnnapps.errors import UserError

# Sizes, rates and truncation as recommended in textbooks on recurrent networks.
DEFAULT_SPACE: Mapping[str, Any] = {
    "units": [128, 256, 512],
    "layers": {"low": 2, "high": 3},
    "learning_rate": {"low": 1e-3, "high": 1e-2, "log": True},
    "dropout": {"low": 0.2, "high": 0.5},
    "truncate": ["none", 50, 100, 200],
}
NONE = "none"  # for an option that may be left out; TOML has no null


class Dimension(NamedTuple):
    """An option that varies.

    Attributes:
        name: Its name.
        choices: The values to choose from; empty for a range.
        low, high: The ends of a range, both included.
        log: Whether a range is searched on a logarithmic scale.
        whole: Whether a range consists of whole numbers.
    """

    name: str
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False
    whole: bool = False

    def suggested(self, trial: Any) -> Any:
        """The value that an Optuna trial tries."""
        if self.choices:
            return trial.suggest_categorical(self.name, list(self.choices))
        suggest = trial.suggest_int if self.whole else trial.suggest_float
        return suggest(self.name, self.low, self.high, log=self.log)

    def grid(self) -> list[Any]:
        """All values, for a search over a grid."""
        if not self.choices and not self.whole:
            raise UserError(f"--sampler grid needs a list of values for {self.name}, got a range; list some in --space")
        return list(self.choices or range(int(self.low), int(self.high) + 1))


def search_space(file: Path | None, config: RunConfig, given: Collection[str] = ()) -> tuple[Dimension, ...]:
    """The space of a TOML file, or the default one.

    Args:
        file: TOML in which each key is an option of the model or of training, and each value a list of choices or a
            table with `low`, `high` and, for a logarithmic scale, `log = true`.
        config: The options of the command, which define what each option takes.
        given: Names of options given by the user: they do not vary in the default space.

    Raises:
        UserError: The file cannot be read, or has a value that an option does not take.
    """
    where = "the default search space" if file is None else f"--space {file}"
    default = {name: values for name, values in DEFAULT_SPACE.items() if name not in given}
    space = default if file is None else read_toml(file, "--space")
    if not space:
        raise UserError(f"{where}: there is no option to vary")
    return tuple(_dimension(name.replace("-", "_"), values, config, where) for name, values in space.items())


def with_values(config: RunConfig, values: Mapping[str, Any], where: str) -> RunConfig:
    """The options with other values for some of them.

    Raises:
        UserError: An option does not take its value.
    """
    # Four digits of what a search finds are enough, and stay readable in a file.
    values = {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in values.items()}
    changed = {}
    for group in ("model", "training"):
        now = getattr(config, group)
        own = {name: None if value == NONE else value for name, value in values.items() if hasattr(now, name)}
        changed[group] = options.from_json(type(now), {**options.as_json(now), **own}, where)
    return dataclasses.replace(config, **changed)


def _dimension(name: str, values: Any, config: RunConfig, where: str) -> Dimension:
    owner = next((group for group in (config.model, config.training) if hasattr(group, name)), None)
    if hasattr(config.source, name):
        raise UserError(f"{where}: {name} selects the data, which are the same for all trials; leave it out")
    if owner is None:
        raise UserError(f"{where}: unknown option {name!r}; train --help lists those of the model and of training")
    (field,) = (field for field in dataclasses.fields(owner) if field.name == name)
    one, several, _ = options.kind(type(owner), field)
    if several:
        raise UserError(f"{where}: {name} takes a list and so cannot vary; give it as an option")
    if isinstance(values, Sequence) and not isinstance(values, str) and values:
        for value in values:
            with_values(config, {name: value}, where)
        return Dimension(name, choices=tuple(values))
    if not isinstance(values, Mapping) or not {"low", "high"} <= set(values) <= {"low", "high", "log"}:
        raise UserError(f"{where}: {name} must be a list of values, or {{low = ..., high = ...}}, got {values!r}")
    if one not in (int, float):
        raise UserError(f"{where}: {name} is not a number; give a list of values, got {values!r}")
    low, high, log = values["low"], values["high"], bool(values.get("log", False))
    for value in (low, high):
        with_values(config, {name: value}, where)
    if not low < high or (log and low <= 0):
        need = "0 < low < high" if log else "low < high"
        raise UserError(f"{where}: {name} must have {need}, got {low} and {high}")
    return Dimension(name, low=low, high=high, log=log, whole=one is int)
