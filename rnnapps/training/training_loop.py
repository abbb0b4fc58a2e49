"""One `fit` for all applications: it trains a compiled Keras model and leaves a run folder.

The loop is ours and the compiled steps are Keras's: it calls `model.train_function` and `model.test_function`, which
are what `model.fit` calls. So `jit_compile`, `run_eagerly`, `steps_per_execution`, a `train_step` of the model's own
and distribution strategies mean what they mean in Keras. `model.fit` itself could not be used: it starts every epoch
with empty metrics and at batch 0, so an epoch cannot be resumed in the middle, and on return it overwrites the weights
with their average when the optimizer keeps one.
"""

from __future__ import annotations

import contextlib
import math
import pathlib
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from rnnapps.datasets.autotuning import without_autotuning
from rnnapps.files import replacing, write_csv
from rnnapps.training.batches import Batches, as_batches
from rnnapps.training.checkpoint import Checkpoints
from rnnapps.training.errors import Diverged, Interrupted, RunError
from rnnapps.training.history import History
from rnnapps.training.optimizer import averaged_weights, has_schedule
from rnnapps.training.plots import plot_curves
from rnnapps.training.progress import Progress, show_progress
from rnnapps.training.run_folder import RunFolder, check_run_dir, create_run, resume_run, writing_to
from rnnapps.training.schedule import ReduceOnPlateau
from rnnapps.training.state import Row, State
from rnnapps.training.stop_signals import StopSignals
from rnnapps.training.tensorboard import EventFiles


def fit(
    model: keras.Model,
    train: Batches | tf.data.Dataset,
    validation: Batches | tf.data.Dataset | None = None,
    *,
    run_dir: str | pathlib.Path,
    epochs: int,
    config: Mapping[str, Any] | None = None,
    resume: bool = False,
    checkpoint_every_steps: int = 200,
    patience: int | None = 3,
    monitor: str = "val_loss",
    mode: Literal["min", "max"] = "min",
    figures: Mapping[str, Callable[[], float]] | None = None,
    reduce_on_plateau: ReduceOnPlateau | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: bool = True,
) -> History:
    """Trains `model`, keeps its best weights, and leaves everything about the run in a folder.

    When it returns, the model has the weights of its best epoch, and `run_dir` holds `config.json`, `model.keras`
    (those weights), `checkpoints/`, `history.csv`, `metrics.json`, `logs/` for TensorBoard and `report/curves.png`.

    Args:
        model: A compiled Keras model. If its optimizer averages weights (`optimizer(weight_averaging=...)`), the
            average is what is validated and saved.
        train: Batches as the model takes them, `(inputs, targets)` or `(inputs, targets, sample_weights)`: an object
            with `steps` and `epoch(n)` (see `Batches`), or a batched `tf.data.Dataset` that knows its number of
            batches.
        validation: The same, of any length, read in the same order each time; None to train without.
        run_dir: The run folder. It must not hold a run, unless `resume`.
        epochs: Train for at most so many.
        config: The options that the run depends on, as JSON can hold them; written to `config.json`. A run can only be
            resumed with the same ones.
        resume: Go on from the newest checkpoint in `run_dir`. The model and the data must have been made as for the
            first call. Weights, optimizer, learning rate, averages, random generators of layers, position in the data,
            metrics and the state of early stopping are as they were, so the run ends as if it had not stopped. (Not
            restored: the generators of `tf.random` and the state of `callbacks`.)
        checkpoint_every_steps: A killed run loses at most so many batches.
        patience: Stop after so many epochs without a better monitored value. None: never.
        monitor: The value that decides which epoch is best: `loss`, a metric's name, or either with `val_` before it.
        mode: Whether the least or the greatest value is best.
        figures: More to find out after each validation, with the weights that were validated: functions by name, such
            as `{"val_bleu": ...}`. Their values go where those of the metrics go, and may be monitored.
        reduce_on_plateau: Lower the learning rate while nothing improves. The optimizer must have a constant one.
        callbacks: Keras callbacks. They see raw weights, also where the optimizer averages; a callback with
            `on_train_batch_end` costs time in every step.
        progress: Show progress on standard error: a bar on a terminal, else a line per epoch.

    Returns:
        The `History` of the whole run, also of the part before a resumption.

    Raises:
        RunError: The folder holds a run already, holds none to resume, was started with another configuration, or
            cannot be written; or there are no batches.
        Diverged: The training loss became infinite or not a number.
        Interrupted: Ctrl-C or SIGTERM; everything is saved, call again with `resume=True` to go on.
        ValueError, TypeError: An argument is out of range or does not fit the others.

    Example:
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(optimizer("sgd", 0.1), loss="mse")
        >>> data = tf.data.Dataset.from_tensor_slices((tf.zeros((8, 2)), tf.ones((8, 1)))).batch(4)
        >>> fit(model, data, data, run_dir="runs/first", epochs=2, progress=False).best_epoch
        2
    """
    if not model.compiled:
        raise ValueError("the model is not compiled: call model.compile(optimizer, loss) first")
    if mode not in ("min", "max"):
        raise ValueError(f"mode must be 'min' or 'max'; it is {mode!r}")
    for name, value in (("epochs", epochs), ("checkpoint_every_steps", checkpoint_every_steps), ("patience", patience)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1; it is {value}")
    if reduce_on_plateau is not None and has_schedule(model.optimizer):
        raise ValueError("reduce_on_plateau needs an optimizer with a constant learning rate; it has a schedule")
    check_run_dir(run_dir, resume=resume)  # the rest of the checks builds the model, which takes its time
    train = as_batches(train, "train")
    if train.steps < 1:
        raise RunError("there are no training batches: the training data are empty")
    if validation is not None and not isinstance(validation, tf.data.Dataset):
        validation = as_batches(validation, "validation").epoch(0)
    if validation is not None:
        validation = without_autotuning(validation)
    figures = dict(figures or {})
    _build(model, train.epoch(0) if validation is None else validation, validation is not None, monitor, figures)

    run = (resume_run if resume else create_run)(run_dir, config or {})
    training = _Training(
        model, train, validation, run, epochs=epochs, checkpoint_every_steps=checkpoint_every_steps, patience=patience,
        monitor=monitor, mode=mode, figures=figures, reduce_on_plateau=reduce_on_plateau, callbacks=callbacks,
        display=show_progress(progress),
    )  # fmt: skip
    with writing_to(run.path):
        return training.run_to_the_end(resume)


class _Training:
    """One call of `fit`: the arguments, and the state that its methods hand on."""

    def __init__(
        self,
        model: keras.Model,
        train: Batches,
        validation: tf.data.Dataset | None,
        run: RunFolder,
        *,
        epochs: int,
        checkpoint_every_steps: int,
        patience: int | None,
        monitor: str,
        mode: Literal["min", "max"],
        figures: Mapping[str, Callable[[], float]],
        reduce_on_plateau: ReduceOnPlateau | None,
        callbacks: Sequence[keras.callbacks.Callback],
        display: Progress,
    ):
        self.model, self.train, self.validation, self.run = model, train, validation, run
        self.epochs, self.checkpoint_every_steps, self.patience = epochs, checkpoint_every_steps, patience
        self.monitor, self.mode, self.figures = monitor, mode, figures
        self.reduce_on_plateau = reduce_on_plateau
        self.display = display
        self.callbacks = None
        if callbacks:
            self.callbacks = keras.callbacks.CallbackList(
                list(callbacks), model=model, epochs=epochs, steps=train.steps, verbose=0
            )
        self.stop = StopSignals()
        self.events = EventFiles(run.logs)
        self.checkpoints = Checkpoints(run.checkpoints, model)
        self.state = State()

    def run_to_the_end(self, resume: bool) -> History:
        try:
            with self.stop:
                if resume:
                    self.state = self.checkpoints.restore() or State()
                    self.display.say(
                        f"resuming {self.run.path} at epoch {self.state.epoch + 1}, step {self.state.step}"
                    )
                self.model.stop_training = False
                if self.callbacks:
                    self.callbacks.on_train_begin()
                while self.stopped() is None:
                    self.epoch()
                if self.callbacks:
                    self.callbacks.on_train_end()
        finally:
            self.display.close()
            self.events.close()
            self.picture()
        return self.finish()

    def stopped(self) -> str | None:
        """Why training is over, or None while it is not."""
        if self.state.epoch >= self.epochs:
            return "epochs"
        if self.patience is not None and self.state.best.wait >= self.patience:
            return "patience"
        return "callback" if self.model.stop_training else None

    def epoch(self) -> None:
        state = self.state
        started = time.monotonic() - state.seconds
        if self.callbacks:
            self.callbacks.on_epoch_begin(state.epoch)
        if state.train_logs is None:
            state.train_logs = self.train_steps(started)
        with averaged_weights(self.model), _kept_state(self.model):
            validation_logs = self.validate() if self.validation is not None else {}
            if not self.stop.received:
                validation_logs |= {name: float(figure()) for name, figure in self.figures.items()}
            row = {
                "epoch": state.epoch + 1,
                "step": state.total_steps,
                "seconds": round(time.monotonic() - started, 3),
                "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
                **state.train_logs,
                **validation_logs,
            }
            improved = False
            if not self.stop.received:
                improved = state.best.improved(state.epoch + 1, row[self.monitor], self.mode)
            if improved:
                self.save_model()
        if self.stop.received:  # validation was cut short; a resumed run does it again
            self.interrupt(started)
        if self.reduce_on_plateau and state.plateau.reduce(self.reduce_on_plateau, row[self.monitor], self.mode):
            lower = row["learning_rate"] * self.reduce_on_plateau.factor
            self.model.optimizer.learning_rate = max(lower, self.reduce_on_plateau.minimum)
        if self.callbacks:
            self.callbacks.on_epoch_end(state.epoch, row)
        state.rows.append(row)
        state.epoch, state.step, state.seconds, state.train_logs = state.epoch + 1, 0, 0.0, None
        write_csv(self.run.history_file, state.rows)
        self.events.write(row)
        self.checkpoints.write(state)
        self.display.epoch_end(row, self.epochs, improved)

    def train_steps(self, started: float) -> Row:
        """Trains on what is left of the epoch and returns the averages over all of it."""
        model, state, steps = self.model, self.state, self.train.steps
        batches = without_autotuning(self.train.epoch(state.epoch).skip(state.step).take(steps - state.step))
        if not state.step:  # else the metrics hold the batches before the checkpoint
            model.reset_metrics()
        iterator = iter(model.distribute_strategy.experimental_distribute_dataset(batches))
        model.make_train_function()
        self.display.begin(f"epoch {state.epoch + 1}/{self.epochs}", steps, state.step)
        since_checkpoint, logs = 0, None
        while state.step < steps:
            if self.callbacks:
                self.callbacks.on_train_batch_begin(state.step)
            try:
                logs = model.train_function(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                raise ValueError(
                    f"epoch({state.epoch}) of the training data gave {state.step} batches; its `steps` says {steps}"
                ) from None
            done = min(model.steps_per_execution, steps - state.step)
            state.step += done
            state.total_steps += done
            since_checkpoint += done
            if self.callbacks:
                self.callbacks.on_train_batch_end(state.step - 1, logs)
            self.display.step(state.step, logs)
            if self.stop.received and state.step < steps:
                self.finite(logs)
                self.interrupt(started)
            if since_checkpoint >= self.checkpoint_every_steps and state.step < steps:
                self.finite(logs)  # a checkpoint of weights that are lost would be of no use
                self.checkpoint(started)
                since_checkpoint = 0
        return self.finite(_averages(model, logs))

    def validate(self) -> Row:
        """Returns the averages over the validation data; nothing when asked to stop."""
        model = self.model
        model.reset_metrics()
        model.make_test_function()
        iterator = iter(model.distribute_strategy.experimental_distribute_dataset(self.validation))
        steps = int(self.validation.cardinality())
        self.display.begin("  validation", steps if steps > 0 else None)
        logs, done = None, 0
        while done != steps:
            try:
                logs = model.test_function(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                break
            done += model.steps_per_execution
            self.display.step(done, logs)
            if self.stop.received:
                return {}
        return {f"val_{name}": value for name, value in _averages(model, logs).items()}

    def finite(self, logs: Mapping[str, Any]) -> Row:
        row = _numbers(logs)
        if not math.isfinite(row.get("loss", 0.0)):
            kept = f"the best weights, of epoch {self.state.best.epoch}, are in {self.run.model_file}; "
            raise Diverged(
                f"the training loss became {row['loss']} in epoch {self.state.epoch + 1} by step {self.state.step}: "
                f"{kept if self.state.best.epoch else ''}start a new run with a lower --learning-rate or --clip-norm"
            )
        return row

    def interrupt(self, started: float) -> None:
        """Saves everything and ends the run for now."""
        state = self.state
        self.checkpoint(started)
        kept = f"the best weights, of epoch {state.best.epoch}, are"
        if state.best.epoch is None:
            with averaged_weights(self.model):
                self.save_model()
            kept = "no epoch has been validated yet, the latest weights are"
        raise Interrupted(
            f"stopped in epoch {state.epoch + 1} at step {state.step} of {self.train.steps}: {kept} in "
            f"{self.run.model_file}; go on with --resume {shlex.quote(str(self.run.path))}",
            self.run.path,
            self.stop.received,
        )

    def checkpoint(self, started: float) -> None:
        self.state.seconds = time.monotonic() - started
        self.checkpoints.write(self.state)

    def save_model(self) -> None:
        with replacing(self.run.model_file) as partial:
            self.model.save(partial)

    def picture(self) -> None:
        if self.state.rows:
            plot_curves(self.state.rows, self.run.report / "curves.png", best_epoch=self.state.best.epoch)

    def finish(self) -> History:
        """Puts the best weights into the model and sums the run up."""
        state, run = self.state, self.run
        if state.best.epoch is None:
            self.save_model()
        self.model.load_weights(run.model_file)
        history = History(
            tuple(state.rows), state.best.epoch, state.best.value, self.monitor, self.stopped() or "epochs", run
        )
        run.add_metrics(
            epochs=state.epoch,
            steps=state.total_steps,
            seconds=round(sum(row["seconds"] for row in state.rows), 3),
            stopped=history.stopped,
            monitor=self.monitor,
            best_epoch=state.best.epoch,
            **_sides(history.best),
        )
        return history


def _build(
    model: keras.Model, batches: tf.data.Dataset, has_validation: bool, monitor: str, figures: Iterable[str]
) -> None:
    """Makes every variable of the model, its metrics and its optimizer, and checks that `monitor` will be there.

    Evaluating one batch is the public way to build all of them; the compiled function is used again in validation.
    """
    with _kept_state(model):
        names = list(model.evaluate(batches.take(1), verbose=0, return_dict=True))
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    monitored = [*names, *[f"val_{name}" for name in names] * has_validation, *figures]
    if monitor not in monitored:
        raise ValueError(f"monitor must be one of {', '.join(monitored)}; it is {monitor!r}")


@contextlib.contextmanager
def _kept_state(model: keras.Model) -> Iterator[None]:
    """Puts random generators and states of layers back after evaluation: Keras moves some on even then.

    So validation leaves no trace in training, and a run that is stopped in it can do it again.
    """
    kept = [(variable, keras.ops.copy(variable)) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def _averages(model: keras.Model, logs: Mapping[str, Any] | None) -> Row:
    """The metrics over all batches of a pass, or the last values that a `train_step` of the model's own returned."""
    if logs is None:
        raise RunError("there are no validation batches: the validation data are empty")
    metrics = model.get_metrics_result()
    return _numbers(metrics if metrics.keys() == logs.keys() else logs)


def _numbers(logs: Mapping[str, Any]) -> Row:
    return {name: float(value) for name, value in logs.items()}


def _sides(row: Row) -> dict[str, Row]:
    """The metrics of a row, those of training and those of validation apart."""
    metrics = {name: value for name, value in row.items() if name not in ("epoch", "step", "seconds", "learning_rate")}
    sides = {"train": {name: value for name, value in metrics.items() if not name.startswith("val_")}}
    validation = {name[4:]: value for name, value in metrics.items() if name.startswith("val_")}
    return sides | ({"validation": validation} if validation else {})
