"""Training and evaluation steps, on one device or on the replicas of a distribution strategy.

A batch is the global batch. Each process reads it and each replica takes its share of the rows, so several workers see
what one would have seen, in the same order, and none of them waits for data that another has.
"""

from __future__ import annotations

import json
import signal
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from rnnapps.run_folder import RunError
from rnnapps.training.stop_signals import StopSignals

Function = Callable[[Iterator[Any]], Any]


def replicas(model: keras.Model) -> int:
    """Number of replicas that the model trains on."""
    return model.distribute_strategy.num_replicas_in_sync


def train_function(model: keras.Model) -> Function:
    """The function that takes an iterator of batches, trains on the next one and returns the metrics so far."""
    if replicas(model) > 1:
        return _on_replicas(model, model.train_step)
    model.make_train_function()
    return model.train_function


def test_function(model: keras.Model) -> Function:
    """The function that takes an iterator of batches, evaluates the next one and returns the metrics so far."""
    if replicas(model) > 1:
        return _on_replicas(model, model.test_step)
    model.make_test_function()
    return model.test_function


def shares(model: keras.Model, batch: Any) -> Any:
    """The rows of a batch that each replica of this process takes; fewer rows than replicas are taken repeatedly."""

    def share(context: tf.distribute.ValueContext) -> Any:
        number, total = context.replica_id_in_sync_group, context.num_replicas_in_sync
        rows = len(tf.nest.flatten(batch)[0])
        first, end = number * rows // total, (number + 1) * rows // total
        if rows < total:
            first, end = number % rows, number % rows + 1
        return tf.nest.map_structure(lambda tensor: tensor[first:end], batch)

    return model.distribute_strategy.experimental_distribute_values_from_function(share)


def agreed(strategy: tf.distribute.Strategy, values: Mapping[str, Any]) -> dict[str, Any]:
    """The mean of numbers over all processes, so that all decide alike; each process calls it."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return dict(values)

    def mean(value: Any) -> float:
        local = strategy.experimental_distribute_values_from_function(lambda _: tf.constant(float(value), tf.float32))
        return float(strategy.reduce("MEAN", local, axis=None))

    return {name: mean(value) for name, value in values.items()}


def check_same_everywhere(strategy: tf.distribute.Strategy, config: Mapping[str, Any]) -> None:
    """Refuses processes that were started with different options: their steps would not fit together.

    Raises:
        RunError: The options differ.
    """
    digest = zlib.crc32(json.dumps(config, sort_keys=True, default=str).encode()) % 2**16  # float32 holds it exactly
    if abs(agreed(strategy, {"digest": digest})["digest"] - digest) > 0.5 / strategy.num_replicas_in_sync:
        raise RunError("the workers were started with different options; start all of them with the same command")


def asked_to_stop(model: keras.Model, stop: StopSignals) -> bool:
    """Whether one of the processes was asked to stop; each calls it after the same step."""
    asked = bool(
        agreed(model.distribute_strategy, {"asked": stop.received is not None})["asked"]
    )  # not what arrives after the question
    if asked and not stop.received:
        stop.received = signal.SIGTERM
    return asked


def _on_replicas(model: keras.Model, step: Callable[[Any], dict[str, tf.Tensor]]) -> Function:
    """Keras's own functions fail under a multi-worker strategy: they add up scalars along an axis."""
    strategy = model.distribute_strategy
    if model.steps_per_execution != 1:
        raise ValueError(f"steps_per_execution must be 1 on several replicas, got {model.steps_per_execution}")

    @tf.function(reduce_retracing=True, autograph=False)
    def one_step(batch: Any) -> dict[str, Any]:
        return strategy.run(step, args=(batch,))

    def function(iterator: Iterator[Any]) -> dict[str, Any]:
        outputs = one_step(shares(model, next(iterator)))
        return {name: strategy.experimental_local_results(value)[0] for name, value in outputs.items()}

    return function
