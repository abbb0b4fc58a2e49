"""`--start-from`: the model that a new one starts from. A data set may stand for a model that was trained on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rnnapps.cli.output import say
from rnnapps.cli.run_config import RunConfig
from rnnapps.cli.task import Task
from rnnapps.cli.train import train_run
from rnnapps.errors import UserError


def model_to_start_from(task: Task, config: RunConfig, recipes: Mapping[str, Callable[[RunConfig], RunConfig]]) -> Any:
    """The model that a new run starts from: that of another run, or one that is trained now and kept in the cache.

    Args:
        task: The task.
        config: The new run. `config.training.start_from` is a run folder, the name of a data set, or None.
        recipes: The data sets that can be named, each with the config of the run to train first, made from `config`.

    Returns:
        The model, built; None if the run starts from scratch.

    Raises:
        UserError: There is no such run, or its model is of another kind.
    """
    origin = config.training.start_from
    if origin is None:
        return None
    from rnnapps import training

    run = Path(origin)
    if origin in recipes and not run.exists():
        run = _trained_once(task, origin, recipes[origin](config))
    model = training.load_model(training.open_run(run), task.code().Model)
    training.set_seed(config.source.seed)  # the same whether or not a model was trained just now
    return model


def take_over(model: Any, other: Any, config: RunConfig) -> None:
    """Passes what another model has learned to a new one, with its method `start_from`.

    Raises:
        UserError: The models have different shapes.
    """
    try:
        model.start_from(other)
    except ValueError as error:
        raise UserError(f"--start-from {config.training.start_from}: {error}") from None


def _trained_once(task: Task, dataset: str, config: RunConfig) -> Path:
    """The run of a config on a data set, from the cache folder; trained now if it is missing."""
    from rnnapps import training
    from rnnapps.native.cache import cache_folder

    digest = hashlib.sha256(json.dumps(config.as_json(task), sort_keys=True).encode()).hexdigest()[:16]
    run = training.RunFolder(cache_folder() / "pretrained" / f"{task.name}-{dataset}-{digest}")
    begun = run.config_file.exists()
    if begun and "test" in run.read_metrics():
        say(f"starting from the model of {dataset} in {run.path}")
        return run.path
    say(f"training a model of {dataset} first; it is kept in {run.path} for later runs")
    train_run(task, config, run.path, resumed=config if begun and run.checkpoints.exists() else None)
    return run.path
