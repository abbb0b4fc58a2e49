"""Distribution strategies of TensorFlow, by name: several GPUs of a machine, several machines."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import tensorflow as tf

from rnnapps.cluster import STRATEGIES, worker_count
from rnnapps.errors import UserError
from rnnapps.run_folder import RunError, RunFolder
from rnnapps.training.errors import Interrupted, WorkerLost

_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)


def strategy(name: str = "auto") -> tf.distribute.Strategy:
    """Makes the strategy that a model is to be built, compiled and trained under.

    `multi-worker` connects to the other workers and waits for them, so call it before anything else makes a tensor.

    Args:
        name: `"none"`: one device. `"mirrored"`: all GPUs of this machine. `"multi-worker"`: the machines in
            `TF_CONFIG`. `"auto"`: the last where `TF_CONFIG` names several workers, the second where there are several
            GPUs, else the first.

    Returns:
        The strategy; use its `scope()`.

    Raises:
        UserError: An unknown name, or `TF_CONFIG` is missing or invalid for a worker.

    Example:
        >>> with strategy("none").scope():
        ...     model = keras.Sequential([keras.layers.Dense(1)])

    Source: TensorFlow, "Distributed training with TensorFlow" and "Multi-worker training with Keras".
    """
    if name not in STRATEGIES:
        raise UserError(f"strategy must be one of {', '.join(STRATEGIES)}, got {name!r}")
    if worker_count(name) > 1 or name == "multi-worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    devices = tf.config.list_logical_devices("GPU")
    if name == "mirrored":
        devices = devices or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.MirroredStrategy() if name == "auto" and len(devices) > 1 else tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes."""
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type is None:
        return True
    if "chief" in resolver.cluster_spec().jobs:
        return resolver.task_type == "chief"
    return resolver.task_id == 0


@contextlib.contextmanager
def lost_workers_named(strategy: tf.distribute.Strategy, run_dir: pathlib.Path) -> Iterator[None]:
    """Says in one line that another worker is gone, which TensorFlow says in pages.

    Raises:
        WorkerLost: In place of TensorFlow's errors.
    """
    try:
        yield
    except _LOST as error:
        if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
            raise
        raise WorkerLost(
            f"another worker is gone or cannot be reached; start all workers again with --resume {run_dir}"
        ) from error


@contextlib.contextmanager
def folder_to_write(strategy: tf.distribute.Strategy, run_dir: pathlib.Path, resume: bool) -> Iterator[pathlib.Path]:
    """The run folder for the chief. Another worker gets a temporary folder, with what a resumed run starts from.

    All workers save, because variables that are spread over them are collected by all; only the chief's files stay.
    """
    if is_chief(strategy):
        yield run_dir
        return
    with tempfile.TemporaryDirectory(prefix="rnnapps-worker-") as folder:
        own = pathlib.Path(folder, "run")
        if resume:
            run = RunFolder(run_dir)
            own.mkdir()
            for part in (run.config_file, run.model_file):
                if part.exists():
                    shutil.copy2(part, own)
            shutil.copytree(run.checkpoints, own / run.checkpoints.name)
        try:
            yield own
        except RunError as error:
            raise type(error)(str(error).replace(str(own), str(run_dir))) from error
        except Interrupted as stop:
            raise Interrupted(str(stop).replace(str(own), str(run_dir)), run_dir, stop.signal) from None
