"""Checkpoints: the states of a run from which it goes on as if it had never stopped.

A checkpoint is a folder with two parts: `variables.*`, every variable of the model (the states of its random generators
included), of the optimizer (slots, step count, averaged weights) and of the metrics; and `state.json`, the rest. The
variables are written by `tf.train.Checkpoint`: Keras's `.weights.h5` leaves out random generators and metrics, while
this takes any list of variables of any dtype, also distributed ones, and keeps a checksum of each. Nothing is pickled.

The folder is written under another name, waits for the disk, and is renamed when complete. Should the disk itself lose
a part later, the checksums tell, and the checkpoint before it is used.
"""

from __future__ import annotations

import json
import pathlib
import warnings
from collections.abc import Iterable

import keras
import tensorflow as tf

from rnnapps.files import remove_folder, replacing
from rnnapps.run_folder import RunError
from rnnapps.training.state import State

KEEP = 2  # the newest, and one to fall back on


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Where they are kept.
        model: A compiled model; the model, its metrics and its optimizer must have been built, so that all variables
            exist.
    """

    def __init__(self, folder: pathlib.Path, model: keras.Model) -> None:
        self.folder = folder
        self._variables = _unique(
            [*model.variables, *model.optimizer.variables, *(v for metric in model.metrics for v in metric.variables)]
        )
        self._written: str | None = None

    def write(self, state: State) -> None:
        """Writes the state of the run, and removes the checkpoints that are no longer needed."""
        name = f"epoch-{state.epoch:05d}-step-{state.step:08d}"
        if name == self._written:
            return
        # A folder of this name that is there already could not be read, or the run would have gone on from it.
        with replacing(self.folder / name, durable=True) as partial:
            partial.mkdir()
            self._tensorflow_checkpoint().write(str(partial / "variables"))
            description = {"variables": [_describe(variable) for variable in self._variables], "state": state.to_json()}
            (partial / "state.json").write_text(json.dumps(description), "utf-8")
        self._written = name
        for old in self._complete()[:-KEEP]:
            remove_folder(old)

    def restore(self) -> State | None:
        """Puts the newest readable checkpoint into the variables and returns its state; None if there is none yet.

        Raises:
            RunError: The checkpoint is of another model, or none of those that are there can be read.
        """
        complete = self._complete()
        for path in reversed(complete):
            try:
                description = json.loads((path / "state.json").read_text("utf-8"))
                self._check_same_model(description["variables"], path)
                self._tensorflow_checkpoint().read(str(path / "variables")).assert_consumed()
                state = State.from_json(description["state"])
            except (OSError, ValueError, KeyError, TypeError, tf.errors.OpError) as error:
                warnings.warn(f"{path} is damaged ({type(error).__name__}); trying the one before it", stacklevel=2)
                continue
            self._written = path.name
            return state
        if complete:
            raise RunError(f"no checkpoint in {self.folder} can be read: start a new run in another --run-dir")
        return None

    def _complete(self) -> list[pathlib.Path]:
        return sorted(self.folder.glob("epoch-*-step-*"))

    def _tensorflow_checkpoint(self) -> tf.train.Checkpoint:
        return tf.train.Checkpoint(variables=[variable.value for variable in self._variables])

    def _check_same_model(self, saved: list[list], path: pathlib.Path) -> None:
        now = [_describe(variable) for variable in self._variables]
        for (saved_name, *saved_kind), (name, *kind) in zip(saved, now, strict=False):
            if saved_kind != kind:  # names are not compared: Keras numbers them through within a process
                raise RunError(
                    f"cannot resume from {path} with another model: it holds {saved_name} {saved_kind}, "
                    f"the model has {name} {kind}; build the model as the run did"
                )
        if len(saved) != len(now):
            raise RunError(
                f"cannot resume from {path} with another model or optimizer: it holds {len(saved)} variables, "
                f"the model has {len(now)}; build the model as the run did"
            )


def _describe(variable: keras.Variable) -> list:
    return [variable.path, list(variable.shape), keras.backend.standardize_dtype(variable.dtype)]


def _unique(variables: Iterable[keras.Variable]) -> list[keras.Variable]:
    return list({id(variable): variable for variable in variables}.values())
