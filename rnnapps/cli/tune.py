"""`tune`: a search for the training options that give the best model on the validation split."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from rnnapps.cli.app import Command
from rnnapps.cli.config import config_option
from rnnapps.cli.options import COUNT, PATH, click_options
from rnnapps.cli.output import say
from rnnapps.cli.run_config import RunConfig, asked_config, checked
from rnnapps.cli.search_space import Dimension, search_space, with_values
from rnnapps.cli.study_database import DEAD_AFTER, shared_database
from rnnapps.cli.study_pictures import draw_study
from rnnapps.cli.task import Objective, Task
from rnnapps.cli.train import fit_model
from rnnapps.errors import Stopped, UserError
from rnnapps.extras import from_extra
from rnnapps.files import remove_folder, replacing, write_csv
from rnnapps.terminal import reason

if TYPE_CHECKING:
    import optuna

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_SHOWN = 5  # trials in the table
_DIVERGED = "diverged"  # an attribute of trials that have no result and count as done


class _Duration(click.ParamType):
    """A time such as "90s", "30m" or "2h", in seconds."""

    name = "time"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float:
        text = str(value)  # TOML may also hold a number of seconds
        number, unit = (text[:-1], text[-1]) if text[-1:] in _SECONDS else (text, "s")
        try:
            seconds = float(number) * _SECONDS[unit]
        except ValueError:
            seconds = math.nan
        if not 0 < seconds < math.inf:
            self.fail(f"expected a time such as 90s, 30m or 2h, got {value!r}", parameter, context)
        return seconds


def tune_command(task: Task) -> click.Command:
    """The command `tune` of a task."""

    def tune(
        study: Path,
        resume: bool,
        trials: int,
        budget: float | None,
        space: Path | None,
        sampler: str,
        pruner: str,
        storage: str | None,
        **values: Any,
    ) -> None:
        config = checked(task, asked_config(task, values))
        context = click.get_current_context()
        given = [name for name in values if context.get_parameter_source(name) is not ParameterSource.DEFAULT]
        dimensions = search_space(space, config, given)
        found = _study(study, storage, resume, sampler, pruner, dimensions, task, config)
        _search(found, study, task, config, dimensions, trials, budget)

    return Command(
        "tune",
        callback=tune,
        check=lambda **values: checked(task, asked_config(task, values)),
        params=[
            click.Option(
                ["--study"],
                type=PATH,
                default=Path("studies", task.name),
                show_default=True,
                help="Folder for everything that the search writes; its name is also the study's name.",
            ),
            click.Option(["--resume"], is_flag=True, help="Continue a study, or join other processes that work on it."),
            click.Option(
                ["--trials"], type=COUNT, default=20, show_default=True, help="Number of trials, over all processes."
            ),
            click.Option(["--budget"], type=_Duration(), metavar="TIME", help="Stop after this time, such as 30m."),
            click.Option(
                ["--space"], type=PATH, metavar="FILE", help="TOML file with the options to vary and their values."
            ),
            click.Option(
                ["--sampler"],
                type=click.Choice(["tpe", "random", "grid"]),
                default="tpe",
                show_default=True,
                help="How values are chosen.",
            ),
            click.Option(
                ["--pruner"],
                type=click.Choice(["hyperband", "median", "none"]),
                default="hyperband",
                show_default=True,
                help="Which trials to stop early, judged by their validation curves.",
            ),
            click.Option(
                ["--storage"],
                metavar="URL",
                help="Database shared by processes and machines.  [default: sqlite, in the folder of the study]",
            ),
            config_option(),
            *click_options(task.source),
            *click_options(task.model),
            *click_options(task.training),
        ],
        help="Search for the options with the best result on the validation split. The test split is not read.",
    )


def _study(
    folder: Path,
    storage: str | None,
    resume: bool,
    sampler: str,
    pruner: str,
    dimensions: Sequence[Dimension],
    task: Task,
    config: RunConfig,
) -> optuna.Study:
    """A new study, or an existing one about the same."""
    optuna = from_extra("optuna", extra="tune", purpose="tune")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    samplers: dict[str, Callable[[], Any]] = {
        "tpe": lambda: optuna.samplers.TPESampler(seed=config.source.seed if not resume else None),
        "random": lambda: optuna.samplers.RandomSampler(seed=config.source.seed if not resume else None),
        "grid": lambda: optuna.samplers.GridSampler({axis.name: axis.grid() for axis in dimensions}),
    }
    pruners = {
        "hyperband": lambda: optuna.pruners.HyperbandPruner(max_resource=config.training.epochs),
        "median": lambda: optuna.pruners.MedianPruner(),
        "none": lambda: optuna.pruners.NopPruner(),
    }
    chosen, pruning = samplers[sampler](), pruners[pruner]()
    own = folder / "study.db"
    if resume and storage is None and not own.exists():
        raise UserError(f"{folder} contains no study to resume: check the path, or start one without --resume")
    try:
        if storage is None:
            folder.mkdir(parents=True, exist_ok=True)
        database = shared_database(storage or _sqlite(own))
        known = folder.name in optuna.get_all_study_names(database)
    except OSError as error:
        raise UserError(f"--study {folder}: cannot be written: {error.strerror}; choose another folder") from None
    except Exception as error:  # a database and its driver may raise anything
        raise UserError(f"--storage {storage or own}: cannot be used: {reason(error)}") from None
    if known and not resume:
        raise UserError(f"{folder} already contains a study: continue it with --resume, or choose another --study")
    if resume and not known:
        raise UserError(f"--storage {storage or own}: there is no study {folder.name!r} to resume; check --study")
    folder.mkdir(parents=True, exist_ok=True)
    about = json.dumps([config.as_json(task), dimensions, sampler], sort_keys=True, default=str)
    study = optuna.create_study(
        storage=database, sampler=chosen, pruner=pruning, study_name=folder.name, load_if_exists=resume
    )
    if study.user_attrs.setdefault("about", about) != about:
        raise UserError(f"{folder} was started with other options, --space or --sampler; give the same ones")
    study.set_user_attr("about", about)
    return study


def _search(
    study: optuna.Study,
    folder: Path,
    task: Task,
    config: RunConfig,
    dimensions: Sequence[Dimension],
    trials: int,
    budget: float | None,
) -> None:
    optuna = from_extra("optuna", extra="tune", purpose="tune")
    from rnnapps import training

    states = optuna.trial.TrialState
    began = time.monotonic()

    def done() -> int:
        found = study.get_trials(deepcopy=False, states=(states.COMPLETE, states.PRUNED, states.FAIL))
        return sum(trial.state is not states.FAIL or _DIVERGED in trial.user_attrs for trial in found)

    def stop_after_the_last(study: Any, _: Any) -> None:
        if done() >= trials:
            study.stop()

    if done() >= trials:
        raise UserError(f"{folder}: already has {done()} trials; --trials must be more than that, got {trials}")
    if config.training.strategy == "multi-worker":
        raise UserError("a trial trains in one process: start tune on several machines with the same --storage instead")
    strategy = training.strategy("mirrored" if config.training.strategy == "mirrored" else "none")
    app = task.code()
    splits = app.load(config.source, ["train", "validation"])
    for line in app.summary(splits.values()):
        say(line)

    given_up = False

    def objective(trial: Any) -> float:
        nonlocal given_up
        try:
            return trained_loss(trial)
        finally:
            given_up = study.get_trials(deepcopy=False)[trial.number].state is states.FAIL

    def trained_loss(trial: Any) -> float:
        values = {dimension.name: dimension.suggested(trial) for dimension in dimensions}
        say(f"trial {trial.number}: {_listed(values)}{_standing(study, done(), trials)}")
        run_dir = folder / "trials" / f"{trial.number:05}"
        if run_dir.exists():  # left by a process that was killed before the database knew of the trial
            remove_folder(run_dir)
        watch = _watch(trial, None if budget is None else began + budget)
        chosen = with_values(config, values, f"trial {trial.number}")
        try:
            checked(task, chosen)
        except UserError as error:
            say(f"trial {trial.number} is left out: {error}")
            raise optuna.TrialPruned from None
        try:
            with strategy.scope():
                trained = fit_model(task, chosen, splits, run_dir, watch=watch)
        except training.Diverged:
            trial.set_user_attr(_DIVERGED, True)
            raise
        except Stopped:
            # As `study.enqueue_trial` does, with the place in the grid, which that leaves out.
            place = study.get_trials(deepcopy=False)[trial.number].system_attrs
            fixed = {**place, "fixed_params": trial.params}
            study.add_trial(optuna.trial.create_trial(state=states.WAITING, system_attrs=fixed))
            again = f"continue with the same command and --resume --study {folder}"
            raise Stopped(f"trial {trial.number} was interrupted and will run again; {again}") from None
        remove_folder(trained.history.run.checkpoints)  # a trial is not resumed
        trial.set_user_attr("monitor", trained.objective.monitor)
        trial.set_user_attr("value", trained.history.best_value)
        if trained.history.stopped == "callback":
            raise optuna.TrialPruned
        if trained.history.best_value is None:
            trial.set_user_attr(_DIVERGED, True)
            raise training.Diverged("no epoch had a finite result")
        return _loss(trained.history.best_value, trained.objective)

    try:
        while done() < trials:
            try:
                study.optimize(
                    objective,
                    timeout=None if budget is None else began + budget - time.monotonic(),
                    catch=(training.Diverged,),
                    callbacks=[stop_after_the_last],
                )
                break
            except (ValueError, optuna.exceptions.UpdateFinishedTrialError):  # the result of a failed trial is refused
                if not given_up:
                    raise
                say(f"this process did not report for {DEAD_AFTER} s: its trial was given to another", err=True)
    finally:
        _leave(study, folder, task, config)


def _sqlite(file: Path) -> str:
    """The URL of a database in a file, in whose path "?" and "%" are ordinary characters."""
    import sqlalchemy

    return sqlalchemy.URL.create("sqlite", database=str(file.absolute())).render_as_string()


def _watch(trial: optuna.Trial, deadline: float | None) -> Callable[[Objective], list[Any]]:
    """A training callback that reports each epoch to the trial, and stops when the pruner or the time limit says so."""
    import keras

    def watch(objective: Objective) -> list[Any]:
        class Watch(keras.callbacks.Callback):
            def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
                trial.report(_loss((logs or {})[objective.monitor], objective), epoch)
                last = epoch + 1 == self.params["epochs"]
                late = deadline is not None and time.monotonic() > deadline
                if not last and late:
                    say(f"the --budget is used up; trial {trial.number} ends after epoch {epoch + 1}")
                if not last and (late or trial.should_prune()):
                    self.model.stop_training = True

        return [Watch()]

    return watch


def _loss(value: float, objective: Objective) -> float:
    """What the study minimises."""
    return -value if objective.mode == "max" else value


def _standing(study: optuna.Study, done: int, trials: int) -> str:
    """The progress of the search, for the line at the start of a trial."""
    text = f"  ({done} of {trials} done"
    if best := _best(study):
        text += f", best {best[0].user_attrs['monitor']} {best[0].user_attrs['value']:.4f} by trial {best[0].number}"
    own = [trial.duration.total_seconds() for trial in study.get_trials(deepcopy=False) if trial.duration]
    if own:
        text += f", about {max(1, round((trials - done) * sum(own) / len(own) / 60))} min left in one process"
    return text + ")"


def _best(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """The trials that trained to their end, the best first."""
    optuna = from_extra("optuna", extra="tune", purpose="tune")
    found = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    return sorted(found, key=lambda trial: trial.value or 0.0)


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in values.items()
    )


def _leave(study: optuna.Study, folder: Path, task: Task, config: RunConfig) -> None:
    """Writes the results of the search: a table, the best options, and pictures."""
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name.lower(),
            "value": trial.user_attrs.get("value"),
            "seconds": trial.duration and round(trial.duration.total_seconds(), 1),
            **trial.params,
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    write_csv(folder / "trials.csv", rows)
    best = _best(study)
    if not best:
        say(f"no trial finished training; trials: {folder / 'trials.csv'}", err=True)
        return
    for trial in best[:_SHOWN]:
        figure = f"{trial.user_attrs['monitor']} {trial.user_attrs['value']:.4f}"
        say(f"{figure}  trial {trial.number}  {_listed(trial.params)}")
    _write_best(best[0], folder, task, config)
    draw_study(study, folder / "report")
    say(f"best options: {folder / 'best.toml'}   pictures: {folder / 'report'}   trials: {folder / 'trials.csv'}")


def _write_best(trial: optuna.trial.FrozenTrial, folder: Path, task: Task, config: RunConfig) -> None:
    """The options of the best trial that differ from the defaults, for `train --config`."""
    defaults = RunConfig(task.source(), task.model(), task.training).flat()
    values = with_values(config, trial.params, f"trial {trial.number}").flat()
    lines = [
        f"# rnn-{task.name} train --config {folder / 'best.toml'}",
        f"# {trial.user_attrs['monitor']} {trial.user_attrs['value']:.6g} in trial {trial.number}",
    ]
    lines += [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"  # TOML has no surrogate pairs
        for name, value in values.items()
        if value is not None and value != defaults[name]
    ]
    with replacing(folder / "best.toml") as partial:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
