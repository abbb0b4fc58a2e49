"""One `fit` for all applications: it trains a compiled Keras model and leaves a run folder."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from rnnapps.datasets.autotuning import without_autotuning
from rnnapps.errors import UserError
from rnnapps.run_folder import RunError, RunFolder
from rnnapps.training.batches import Data, as_batches
from rnnapps.training.distributed import check_same_everywhere
from rnnapps.training.history import History
from rnnapps.training.model_steps import build_all
from rnnapps.training.optimizer import has_schedule
from rnnapps.training.progress import show_progress
from rnnapps.training.runs import check_run_dir, new_run, resumed_run
from rnnapps.training.schedule import ReduceOnPlateau
from rnnapps.training.strategies import folder_to_write, is_chief, lost_workers_named
from rnnapps.training.training_run import TrainingRun


def fit(
    model: keras.Model,
    train: Data,
    validation: Data | None = None,
    *,
    run_dir: str | pathlib.Path,
    epochs: int,
    batch_size: int | None = None,
    config: Mapping[str, Any] | None = None,
    changeable: Collection[str] = (),
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

    A model that was made and compiled in the scope of a distribution strategy (see `strategy`) trains on all of its
    replicas. A batch is then the global batch: each replica takes its share of the rows. All workers call `fit` with
    the same arguments, see the same metrics and decide alike. Only the chief writes to `run_dir`; the others read it
    when a run is resumed.

    When it returns, the model has the weights of its best epoch, and `run_dir` holds `config.json`, `model.keras`
    (those weights), `checkpoints/`, `history.csv`, `metrics.json`, `logs/` for TensorBoard and `report/curves.png`.

    Args:
        model: A compiled Keras model. If its optimizer averages weights (`optimizer(weight_averaging=...)`), the
            average is what is validated and saved.
        train: Batches as the model takes them, `(inputs, targets)` or `(inputs, targets, sample_weights)`: an object
            with `steps` and `epoch(n)` (see `Batches`), a batched `tf.data.Dataset` that knows its number of batches,
            or a `keras.utils.PyDataset`; or a tuple of arrays `(x, y)` or `(x, y, sample_weights)`. Arrays, and the
            batches of a `PyDataset`, are shuffled in every epoch, in an order that only depends on the epoch's number.
        validation: The same, of any length, read in the same order each time; None to train without.
        run_dir: The run folder. It must not hold a run, unless `resume`. It is locked while training goes on.
        epochs: Maximum number of epochs. A resumed run may be given another number.
        batch_size: Examples in a batch of arrays; 32 by default.
        config: The options that the run depends on, as JSON can hold them, also in groups (dictionaries); written to
            `config.json`. A run can only be resumed with the same ones.
        changeable: Names of options in `config` that do not change the result and may differ when a run is resumed,
            such as `"checkpoint_every"`. Their new values are written to `config.json`.
        resume: Go on from the newest checkpoint in `run_dir`. The model and the data must have been made as for the
            first call. Weights, optimizer, learning rate, averages, random generators of layers, position in the data,
            metrics, the state of early stopping and that of callbacks with `get_state` and `set_state` are as they
            were, so the run ends as if it had not stopped. (Not restored: the generators of `tf.random` and other
            callbacks. A run that a callback has stopped goes on.)
        checkpoint_every_steps: A killed run loses at most this many batches. A resumed run uses the number that it is
            given, not that of the first call.
        patience: Stop after this many epochs without a better monitored value. None: never.
        monitor: The value that decides which epoch is best: `loss`, a metric's name, or either with `val_` before it.
        mode: Whether the least or the greatest value is best.
        figures: More metrics to compute after each validation, with the weights that were validated: functions by name,
            such as `{"val_bleu": ...}`. Their values go where those of the metrics go, and may be monitored.
        reduce_on_plateau: Lower the learning rate while nothing improves. The optimizer must have a constant one.
        callbacks: Keras callbacks. They see raw weights, also where the optimizer averages; a callback with
            `on_train_batch_end` costs time in every step.
        progress: Show progress on standard error: a bar on a terminal, else plain lines.

    Returns:
        The `History` of the whole run, also of the part before a resumption.

    Raises:
        RunError: The folder already contains a run, contains none to resume, was started with another configuration, is
            being trained by another process, or cannot be written; or there are no batches.
        WorkerLost: Under a multi-worker strategy another worker is gone.
        Diverged: The training loss became infinite or not a number.
        Interrupted: Ctrl-C or SIGTERM; everything is saved, call again with `resume=True` to go on.
        UserError: Keras does not run on TensorFlow.
        ValueError, TypeError: An argument is out of range or does not fit the others.

    Example:
        >>> model = keras.Sequential([keras.layers.Dense(1)])
        >>> model.compile(optimizer("sgd", 0.1), loss="mse")
        >>> data = tf.data.Dataset.from_tensor_slices((tf.zeros((8, 2)), tf.ones((8, 1)))).batch(4)
        >>> fit(model, data, data, run_dir="runs/first", epochs=2, progress=False).best_epoch
        2
    """
    if keras.backend.backend() != "tensorflow":
        raise UserError(
            f"training.fit needs the TensorFlow backend, got {keras.backend.backend()!r}: set KERAS_BACKEND=tensorflow"
        )
    if not model.compiled:
        raise ValueError("the model is not compiled: call model.compile(optimizer, loss) first")
    if mode not in ("min", "max"):
        raise ValueError(f"mode must be 'min' or 'max', got {mode!r}")
    for name, value in (("epochs", epochs), ("checkpoint_every_steps", checkpoint_every_steps), ("patience", patience)):
        if value is not None and value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if reduce_on_plateau is not None and has_schedule(model.optimizer):
        raise ValueError("reduce_on_plateau needs an optimizer with a constant learning rate, got one with a schedule")
    strategy, run_dir = model.distribute_strategy, pathlib.Path(run_dir)
    if is_chief(strategy):
        check_run_dir(run_dir, resume=resume)  # the rest of the checks builds the model, which takes its time
    batches = as_batches(train, "train", batch_size=batch_size, shuffle=True)
    if batches.steps < 1:
        raise RunError("there are no training batches: the training data are empty")
    held_out = None if validation is None else _in_order(validation, batch_size)
    figures, config = dict(figures or {}), config or {}
    with (
        strategy.scope(),
        lost_workers_named(strategy, run_dir),
        folder_to_write(strategy, run_dir, resume) as folder,
    ):
        check_same_everywhere(strategy, config)
        build_all(model, batches.epoch(0) if held_out is None else held_out, held_out is not None, monitor, figures)
        with resumed_run(folder, config, changeable) if resume else new_run(folder, config) as run:
            training = TrainingRun(
                model, batches, held_out, run, epochs=epochs, checkpoint_every_steps=checkpoint_every_steps,
                patience=patience, monitor=monitor, mode=mode, figures=figures, reduce_on_plateau=reduce_on_plateau,
                callbacks=callbacks, display=show_progress(progress and is_chief(strategy)),
            )  # fmt: skip
            history = training.run_to_the_end(resume)
    return dataclasses.replace(history, run=RunFolder(run_dir))


def _in_order(validation: Data, batch_size: int | None) -> tf.data.Dataset:
    """Validation batches; a plain data set may be of unknown length."""
    if not isinstance(validation, tf.data.Dataset):
        size = batch_size if isinstance(validation, tuple) else None  # it may be for the training data alone
        validation = as_batches(validation, "validation", batch_size=size).epoch(0)
    if int(validation.cardinality()) == tf.data.INFINITE_CARDINALITY:
        raise ValueError("the validation data never end: leave out .repeat(), or add .take(steps)")
    return without_autotuning(validation)
