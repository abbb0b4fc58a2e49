"""The training loop: one call of `fit` from its first step, or from a checkpoint, to the best weights.

The loop is ours and the compiled steps are Keras's: it calls `model.train_function` and `model.test_function`, which
are what `model.fit` calls. So `jit_compile`, `run_eagerly`, `steps_per_execution`, a `train_step` of the model's own
and distribution strategies mean what they mean in Keras; on several replicas only `train_step` does. `model.fit` itself
could not be used: it starts every epoch with empty metrics and at batch 0, so an epoch cannot be resumed in the middle,
and on return it overwrites the weights with their average when the optimizer keeps one.
"""

from __future__ import annotations

import math
import shlex
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import keras
import tensorflow as tf

from rnnapps.datasets.autotuning import without_autotuning
from rnnapps.files import replacing, write_csv
from rnnapps.run_folder import RunError, RunFolder
from rnnapps.training.batches import Batches
from rnnapps.training.checkpoint import Checkpoints
from rnnapps.training.distributed import agreed, asked_to_stop, test_function, train_function
from rnnapps.training.errors import Diverged, Interrupted
from rnnapps.training.history import History
from rnnapps.training.model_file import load_weights
from rnnapps.training.model_steps import averages, kept_state, numbers, sides
from rnnapps.training.optimizer import averaged_weights
from rnnapps.training.plots import plot_curves
from rnnapps.training.progress import Progress
from rnnapps.training.schedule import ReduceOnPlateau
from rnnapps.training.state import Row, State
from rnnapps.training.stop_signals import StopSignals
from rnnapps.training.tensorboard import EventFiles


@runtime_checkable
class ResumableCallback(Protocol):
    """A callback whose state is saved in checkpoints and given back to it when the run is resumed."""

    def get_state(self) -> Any:
        """Returns the state, as JSON can hold it."""

    def set_state(self, state: Any) -> None:
        """Takes back what `get_state` returned in the process that was interrupted."""


class TrainingRun:
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
    ) -> None:
        self.model, self.train, self.validation, self.run = model, train, validation, run
        self.epochs, self.checkpoint_every_steps, self.patience = epochs, checkpoint_every_steps, patience
        self.monitor, self.mode, self.figures = monitor, mode, figures
        self.reduce_on_plateau = reduce_on_plateau
        self.display = display
        self.resumable = dict(_resumable(callbacks))
        self.callbacks = None
        if callbacks:
            self.callbacks = keras.callbacks.CallbackList(
                list(callbacks), model=model, epochs=epochs, steps=train.steps, verbose=0
            )
        self.train_on_next, self.evaluate_next = train_function(model), test_function(model)
        self.stop = StopSignals()
        self.events = EventFiles(run.logs)
        self.checkpoints = Checkpoints(run.checkpoints, model)
        self.state = State()

    def run_to_the_end(self, resume: bool) -> History:
        """Trains what is left of the run."""
        try:
            with self.stop:
                if resume:
                    self.restore()
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
            self.draw_curves()
        return self.finish()

    def restore(self) -> None:
        """Puts the run back to its newest checkpoint."""
        self.state = self.checkpoints.restore() or State()
        if self.state.best.epoch is not None and not self.run.model_file.exists():
            raise RunError(
                f"cannot resume {self.run.path}: {self.run.model_file}, the model of its best epoch "
                f"{self.state.best.epoch}, is missing; restore the file, or start a new run"
            )
        for name, callback in self.resumable.items():
            if name in self.state.callbacks:
                callback.set_state(self.state.callbacks[name])
        if self.stopped():
            self.display.say(f"{self.run.path} is finished: it stopped after epoch {self.state.epoch}")
        else:
            self.display.say(f"resuming {self.run.path} at epoch {self.state.epoch + 1}, step {self.state.step}")

    def stopped(self) -> str | None:
        """Why training is over; None while it is not."""
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
        with averaged_weights(self.model), kept_state(self.model):
            validation_logs = self.validate() if self.validation is not None else {}
            cut_short = asked_to_stop(self.model, self.stop)
            if not cut_short:
                figures = {name: float(figure()) for name, figure in self.figures.items()}
                validation_logs |= agreed(self.model.distribute_strategy, figures)
            row = {
                "epoch": state.epoch + 1,
                "step": state.total_steps,
                "seconds": round(time.monotonic() - started, 3),
                "learning_rate": float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)),
                **state.train_logs,
                **validation_logs,
            }
            improved = False
            if not cut_short:
                improved = state.best.improved(state.epoch + 1, row[self.monitor], self.mode)
            if improved:
                self.save_model()
        if cut_short:  # a resumed run validates again
            self.interrupt(started)
        if self.reduce_on_plateau and state.plateau.reduce(self.reduce_on_plateau, row[self.monitor], self.mode):
            self.model.optimizer.learning_rate = self.reduce_on_plateau.lower(row["learning_rate"])
        if self.callbacks:
            self.callbacks.on_epoch_end(state.epoch, row)
        state.rows.append(row)
        state.epoch, state.step, state.seconds, state.train_logs = state.epoch + 1, 0, 0.0, None
        write_csv(self.run.history_file, state.rows)
        self.events.write(row)
        self.write_checkpoint()
        self.display.epoch_end(row, self.epochs, improved)

    def train_steps(self, started: float) -> Row:
        """Trains on what is left of the epoch and returns the averages over all of it."""
        model, state, steps = self.model, self.state, self.train.steps
        batches = without_autotuning(self.train.epoch(state.epoch).skip(state.step).take(steps - state.step))
        if not state.step:  # else the metrics hold the batches before the checkpoint
            model.reset_metrics()
        iterator = iter(batches)
        self.display.begin(f"epoch {state.epoch + 1}/{self.epochs}", steps, state.step)
        since_checkpoint, logs = 0, None
        while state.step < steps:
            if self.callbacks:
                self.callbacks.on_train_batch_begin(state.step)
            try:
                logs = self.train_on_next(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                raise ValueError(
                    f"epoch({state.epoch}) of the training data gave {state.step} batches, but its `steps` is {steps}"
                ) from None
            done = min(model.steps_per_execution, steps - state.step)
            state.step += done
            state.total_steps += done
            since_checkpoint += done
            if self.callbacks:
                self.callbacks.on_train_batch_end(state.step - 1, logs)
            self.display.step(state.step, logs)
            if asked_to_stop(model, self.stop) and state.step < steps:
                self.finite(logs)
                self.interrupt(started)
            if since_checkpoint >= self.checkpoint_every_steps and state.step < steps:
                self.finite(logs)  # a checkpoint of weights that are lost would be of no use
                self.checkpoint(started)
                since_checkpoint = 0
        return self.finite(averages(model, logs))

    def validate(self) -> Row:
        """Returns the averages over the validation data; nothing when asked to stop."""
        model = self.model
        model.reset_metrics()
        assert self.validation is not None
        iterator = iter(self.validation)
        steps = int(self.validation.cardinality())
        self.display.begin("  validation", steps if steps > 0 else None)
        logs, done = None, 0
        while done != steps:
            try:
                logs = self.evaluate_next(iterator)
            except (StopIteration, tf.errors.OutOfRangeError):
                break
            done += model.steps_per_execution
            self.display.step(done, logs)
            if asked_to_stop(model, self.stop):
                return {}
        return {f"val_{name}": value for name, value in averages(model, logs).items()}

    def finite(self, logs: Mapping[str, Any]) -> Row:
        row = numbers(agreed(self.model.distribute_strategy, logs))
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
            f"{self.run.model_file}; continue with --resume {shlex.quote(str(self.run.path))}",
            self.run.path,
            self.stop.received or signal.SIGINT,
        )

    def checkpoint(self, started: float) -> None:
        self.state.seconds = time.monotonic() - started
        self.write_checkpoint()

    def write_checkpoint(self) -> None:
        self.state.callbacks = {name: callback.get_state() for name, callback in self.resumable.items()}
        self.checkpoints.write(self.state)

    def save_model(self) -> None:
        with replacing(self.run.model_file, durable=True) as partial:
            self.model.save(partial)

    def draw_curves(self) -> None:
        if self.state.rows:
            plot_curves(self.state.rows, self.run.curves_picture, best_epoch=self.state.best.epoch)

    def finish(self) -> History:
        """Puts the best weights into the model and sums the run up."""
        state, run = self.state, self.run
        if state.best.epoch is None:
            self.save_model()
        load_weights(self.model, run)
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
            **sides(history.best),
        )
        return history


def _resumable(callbacks: Sequence[keras.callbacks.Callback]) -> Iterator[tuple[str, ResumableCallback]]:
    """The callbacks that have a state, by the name of their class and their place among those of that class."""
    seen: dict[str, int] = {}
    for callback in callbacks:
        if isinstance(callback, ResumableCallback):
            name = type(callback).__name__
            seen[name] = seen.get(name, 0) + 1
            yield f"{name} {seen[name]}", callback
