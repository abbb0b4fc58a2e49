"""`train`: from options to a trained and evaluated model in a run folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from rnnapps.cli.app import Command
from rnnapps.cli.config import config_option, set_defaults
from rnnapps.cli.options import PATH, click_options
from rnnapps.cli.output import say
from rnnapps.cli.run_config import (
    RunConfig,
    asked_config,
    check_same_data,
    check_same_model,
    check_unchanged,
    checked,
    model_arguments,
    read_config,
)
from rnnapps.cli.task import Objective, Task
from rnnapps.cli.training_options import CHANGEABLE
from rnnapps.errors import UserError


def train_command(task: Task) -> click.Command:
    """The command `train` of a task."""

    def train(run_dir: Path, overwrite: bool, **values: Any) -> None:
        resume = click.get_current_context().meta.get("resume")
        from rnnapps import training

        try:
            train_run(task, asked_config(task, values), run_dir, resumed=resume, overwrite=overwrite)
        except training.WorkerLost as error:
            say(f"error: {error}", err=True)
            os._exit(2)  # on a normal exit, TensorFlow's threads would wait for the lost worker, and complain

    def read_resumed(context: click.Context, parameter: click.Parameter, run: Path | None) -> None:
        if run is not None:
            context.meta["resume"] = read_config(run, task)
            values = context.meta["resume"].flat()
            set_defaults(context, {**values, "run_dir": str(run)}, f"--resume {run}")

    return Command(
        "train",
        callback=train,
        check=lambda **values: checked(task, asked_config(task, values)),
        params=[
            *click_options(task.source),
            *click_options(task.model),
            click.Option(
                ["--run-dir"],
                type=PATH,
                default=Path("runs", task.name),
                show_default=True,
                help="Folder for everything that the run writes.",
            ),
            click.Option(
                ["--resume"],
                type=PATH,
                is_eager=True,
                expose_value=False,
                metavar="RUN",
                callback=read_resumed,
                help="Continue an interrupted run with its own options; leave out all others.",
            ),
            click.Option(["--overwrite"], is_flag=True, help="Replace the run in --run-dir."),
            config_option(),
            *click_options(task.training),
        ],
        help="Train a model, evaluate it on the test split, and write everything to --run-dir.",
    )


def train_run(
    task: Task, config: RunConfig, run_dir: Path, *, resumed: RunConfig | None = None, overwrite: bool = False
) -> None:
    """Trains and evaluates a model, and prints the results.

    Args:
        task: The task.
        config: What to train on, and how.
        run_dir: The run folder.
        resumed: What the run was started with, if it is to continue.
        overwrite: Whether to replace a run in `run_dir`.

    Raises:
        UserError: A mistake in the data, the options or the folder.
    """
    config = checked(task, config)
    from rnnapps import training

    app, resume = task.code(), resumed is not None
    strategy = training.strategy(config.training.strategy)
    chief, replicas = training.is_chief(strategy), strategy.num_replicas_in_sync
    if replicas > 1 and config.training.gradient_flow:
        raise UserError("--gradient-flow needs a single device: leave it out, or train with --strategy none")
    if chief:
        training.check_run_dir(run_dir, resume=resume, overwrite=overwrite)
    if resumed is not None:
        check_unchanged(run_dir, resumed, config)
    splits = app.load(config.source)
    for line in app.summary(splits.values()):
        say(line)
    if replicas > 1:
        say(f"{replicas} replicas share a batch of {config.training.batch_size}")
    elif config.training.strategy not in ("auto", "none"):
        say("there is only one device: --strategy has no effect")
    with training.lost_workers_named(strategy, run_dir), strategy.scope():
        training.check_same_everywhere(strategy, config.as_json(task))
        model, _, history = fit_model(task, config, splits, run_dir, resume=resume, overwrite=overwrite)
    run = history.run
    if not chief:
        say(f"best epoch {history.best_epoch} of {len(history.rows)}; the chief evaluates it and wrote {run_dir}")
        return
    if replicas > 1:
        model = training.load_model(run, app.Model)
    held_out = splits["test"] if "test" in splits else splits["validation"]
    metrics = app.assess(model, held_out, config.training.batch_size, task.evaluation(), run.report)
    if held_out.split == "test":
        run.add_metrics(test=metrics)
    if hasattr(app, "finish"):
        app.finish(model, splits, config, run.report)
    if history.stopped == "patience":
        click.echo(f"stopped early: {history.monitor} was not better for {config.training.patience} epochs")
    click.echo(f"best epoch {history.best_epoch} of {len(history.rows)}; on the {held_out.split} split:")
    say(app.table(metrics))
    click.echo(f"model and metrics: {run_dir}   plots: {run.report}")


class Trained(NamedTuple):
    """The results of training.

    Attributes:
        model: The model, with the weights of its best epoch.
        objective: What was minimised.
        history: The `rnnapps.training.History`.
    """

    model: Any
    objective: Objective
    history: Any


def fit_model(
    task: Task,
    config: RunConfig,
    splits: Mapping[str, Any],
    run_dir: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    watch: Callable[[Objective], Sequence[Any]] = lambda objective: (),
) -> Trained:
    """Makes a model and trains it as the options say.

    Args:
        task: The task.
        config: What to train on, and how.
        splits: The data: "train" and "validation".
        run_dir: The run folder.
        resume: Whether to continue the run.
        overwrite: Whether to replace a run in `run_dir`.
        watch: Makes Keras callbacks from the objective.
    """
    from rnnapps import training

    code, how = task.code(), config.training
    training.set_seed(config.source.seed)  # not before the data: preparing them for the first time draws numbers, too
    data = next(iter(code.summary(splits.values())))
    if resume:
        check_same_data(run_dir, data)
    model = code.make(config, splits["train"])
    arguments = model_arguments(model)
    if resume:
        check_same_model(run_dir, arguments)
    elif hasattr(code, "start"):
        code.start(model, config)
    batches = code.batches(model, splits["train"], config, seed=config.source.seed)
    validation = code.batches(model, splits["validation"], config)
    objective = code.objective(model, splits["validation"], config)
    steps = how.epochs * batches.steps
    model.compile(
        training.optimizer(
            learning_rate=how.initial_learning_rate,
            schedule=how.schedule,
            total_steps=steps,
            warmup_steps=steps // 20 if how.schedule == "cosine" else 0,
            clip_norm=how.clip_norm,
            weight_averaging=how.averaging or None,
            layer_rates=code.layer_rates(model, config, batches.steps) if hasattr(code, "layer_rates") else (),
        ),
        loss=objective.loss,
        metrics=list(objective.metrics) or None,
        jit_compile=objective.jit_compile,
    )
    run = training.RunFolder(run_dir)
    chief = training.is_chief(model.distribute_strategy)
    callbacks = list(code.callbacks(model, config, run)) if chief and hasattr(code, "callbacks") else []
    callbacks += watch(objective)
    if how.gradient_flow:
        one_batch = next(iter(validation.epoch(0)))
        callbacks.append(training.GradientFlow(one_batch, run.logs, run.gradient_flow_picture))
    if overwrite and not resume and chief:
        training.remove_run(run_dir)  # only after everything else has gone well
    history = training.fit(
        model,
        batches,
        validation,
        run_dir=run_dir,
        epochs=how.epochs,
        config={**config.as_json(task), "data": data, "model_arguments": arguments},
        changeable={*CHANGEABLE, "data", "model_arguments"},
        resume=resume,
        checkpoint_every_steps=how.checkpoint_every,
        patience=how.patience,
        monitor=objective.monitor,
        mode=objective.mode,
        figures=objective.figures,
        reduce_on_plateau=training.ReduceOnPlateau() if how.schedule == "plateau" else None,
        callbacks=callbacks,
    )
    return Trained(model, objective, history)
