"""What a run was started with: `config.json`, written and read here only."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnapps import options
from rnnapps.cli.options import collected
from rnnapps.cli.task import Task
from rnnapps.cli.training_options import CHANGEABLE
from rnnapps.cluster import worker_count
from rnnapps.errors import UserError
from rnnapps.run_folder import RunFolder

FORMAT = 2  # 1 was a flat list of options, never written by a release
_READABLE = 60  # characters of an argument that are kept as they are
_KERAS = {"name", "trainable", "dtype"}  # arguments of every Keras model, whose JSON may differ between versions


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """The three groups of options that a run depends on.

    Attributes:
        source: Where the data are: an instance of the task's `source`.
        model: Keyword arguments of the model: an instance of the task's `model`.
        training: How to train: an instance of the class of the task's `training`.
    """

    source: Any
    model: Any
    training: Any

    def as_json(self, task: Task) -> dict[str, Any]:
        """The content of `config.json`."""
        groups = {field.name: options.as_json(getattr(self, field.name)) for field in dataclasses.fields(self)}
        return {"format": FORMAT, "task": task.name, **groups}

    def flat(self) -> dict[str, Any]:
        """All options by name."""
        groups = (options.as_json(getattr(self, field.name)) for field in dataclasses.fields(self))
        return {name: value for group in groups for name, value in group.items()}


def asked_config(task: Task, values: Mapping[str, Any]) -> RunConfig:
    """The configuration that the values of a command's options make."""
    return RunConfig(*(collected(kind, values) for kind in (task.source, task.model, task.training)))


def checked(task: Task, config: RunConfig) -> RunConfig:
    """A configuration with absolute paths.

    Raises:
        UserError: The task refuses these options together; nothing heavy has been imported by then.
    """
    worker_count(config.training.strategy)  # looks at TF_CONFIG
    asking = task.asking()
    if hasattr(asking, "check_config"):
        asking.check_config(config)
    from rnnapps import datasets

    return dataclasses.replace(config, source=datasets.absolute(config.source))


def read_config(run: Path, task: Task) -> RunConfig:
    """The options that a run was started with.

    Raises:
        UserError: There is no run, it belongs to another task or has another format, or `config.json` is damaged.
    """
    path = RunFolder(run).config_file
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{run}: not a run folder (no config.json); give the folder that train wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read ({error}); train a new run") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        found = content.get("format", 1) if isinstance(content, dict) else type(content).__name__
        raise UserError(f"{path}: expected format {FORMAT}, got {found}; train a new run with this version")
    if content.get("task") != task.name:
        other = content.get("task")
        raise UserError(f"{path}: this is a run of {other!r}, not of {task.name!r}; use rnn-{other}")
    groups = {"source": task.source, "model": task.model, "training": type(task.training)}
    for name in groups:
        if not isinstance(content.get(name), dict):
            raise UserError(f"{path}: the group {name!r} is missing; train a new run")
    return RunConfig(**{name: options.from_json(kind, content[name], str(path)) for name, kind in groups.items()})


def read_run(run: Path, task: Task) -> tuple[RunFolder, RunConfig, Any]:
    """A trained run: its folder, what it was started with, and its model.

    Raises:
        UserError: There is no run with a model, it belongs to another task, or one of its files is damaged.
    """
    from rnnapps import training

    folder = training.open_run(run)
    config = read_config(run, task)
    return folder, config, training.load_model(folder, task.code().Model)


def check_unchanged(run: Path, before: RunConfig, now: RunConfig) -> None:
    """Refuses to resume a run with options that would change its result.

    Raises:
        UserError: An option differs; the message names it and both values.
    """
    started = before.flat()
    for name, value in now.flat().items():
        if name not in CHANGEABLE and value != started[name]:
            raise UserError(
                f"cannot resume {run} with another {name!r}: it was started with {started[name]!r}, got {value!r};"
                " leave the option out, or start a new run in another --run-dir"
            )


def check_same_data(run: Path, now: str) -> None:
    """Refuses to resume a run whose data have changed since it was started.

    Args:
        run: The run folder.
        now: One line about the current data: sizes and classes.

    Raises:
        UserError: The line from the start differs; the message has both.
    """
    before = RunFolder(run).read_config().get("data", now)
    if before != now:
        raise UserError(
            f"cannot resume {run}: its data have changed. Then: {before}. Now: {now}. Put the data back, or start a new"
            " run in another --run-dir"
        )


def model_arguments(model: Any) -> dict[str, str]:
    """What a model was made with, for `config.json`: each argument as JSON, or the digest of a long one."""
    config = {name: json.dumps(value) for name, value in model.get_config().items() if name not in _KERAS}
    return {name: text if len(text) <= _READABLE else _digest(text) for name, text in config.items()}


def check_same_model(run: Path, now: Mapping[str, str]) -> None:
    """Refuses to resume a run whose model would be made with other arguments today.

    Args:
        run: The run folder.
        now: The current `model_arguments`.

    Raises:
        UserError: An argument differs, or the run does not say what its model was made with.
    """
    before = RunFolder(run).read_config().get("model_arguments")
    start = "; start a new run in another --run-dir"
    if not isinstance(before, dict):
        raise UserError(f"cannot resume {run}: an older version of rnnapps started it{start}")
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            raise UserError(
                f"cannot resume {run}: its data or the version of rnnapps have changed, so the model would have another"
                f" {name!r}. Then: {before.get(name, 'none')}. Now: {now.get(name, 'none')}{start}"
            )


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()[:16]
