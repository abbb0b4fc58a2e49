"""Around the compiled steps of a Keras model: its variables, what evaluation must not change, its metrics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from rnnapps.run_folder import RunError
from rnnapps.training.distributed import replicas, shares
from rnnapps.training.state import Row, metrics_of


def build_all(
    model: keras.Model, batches: tf.data.Dataset, has_validation: bool, monitor: str, figures: Iterable[str]
) -> None:
    """Makes every variable of the model, its metrics and its optimizer, and checks that `monitor` will be there.

    Evaluating one batch is the public way to build all of them; the compiled function is used again in validation.
    """
    with kept_state(model):
        if replicas(model) > 1:  # Keras's evaluate() fails under a multi-worker strategy
            names = list(model.distribute_strategy.run(model.test_step, args=(shares(model, next(iter(batches))),)))
        else:
            names = list(model.evaluate(batches.take(1), verbose=0, return_dict=True))
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    monitored = [*names, *[f"val_{name}" for name in names] * has_validation, *figures]
    if monitor not in monitored:
        raise ValueError(f"monitor must be one of {', '.join(monitored)}, got {monitor!r}")


@contextlib.contextmanager
def kept_state(model: keras.Model) -> Iterator[None]:
    """Restores random generators and states of layers after the block: Keras changes some even in evaluation.

    So validation leaves no trace in training, and a run that is stopped in it can do it again.
    """
    kept = [(variable, keras.ops.copy(variable)) for variable in model.non_trainable_variables]
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def averages(model: keras.Model, logs: Mapping[str, Any] | None) -> Row:
    """The metrics over all batches of a pass, or the last values that a `train_step` of the model's own returned."""
    if logs is None:
        raise RunError("there are no validation batches: the validation data are empty")
    metrics = model.get_metrics_result()
    return numbers(metrics if metrics.keys() == logs.keys() else logs)


def numbers(logs: Mapping[str, Any]) -> Row:
    """The values of metrics as Python numbers."""
    return {name: float(value) for name, value in logs.items()}


def sides(row: Row) -> dict[str, Row]:
    """The metrics of a row, those of training and those of validation apart."""
    metrics = metrics_of(row)
    sides = {"train": {name: value for name, value in metrics.items() if not name.startswith("val_")}}
    validation = {name[4:]: value for name, value in metrics.items() if name.startswith("val_")}
    return sides | ({"validation": validation} if validation else {})
