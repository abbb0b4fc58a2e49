"""Where a run stands: everything that a resumed run needs beside TensorFlow's variables."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rnnapps.training.best import Best
from rnnapps.training.schedule import Plateau

Row = dict[str, float]
_NOT_METRICS = ("epoch", "step", "seconds", "learning_rate")


def metrics_of(row: Mapping[str, float]) -> Row:
    """The metrics of a row of the history: what it holds besides its place, its time and the learning rate."""
    return {name: value for name, value in row.items() if name not in _NOT_METRICS}


@dataclasses.dataclass
class State:
    """The position in the data and the results so far.

    Attributes:
        epoch: The epoch that is being trained, from 0; equal to the number of finished epochs.
        step: Batches of this epoch that have been trained on.
        total_steps: Batches since the start of the run.
        seconds: Time spent in this epoch.
        train_logs: The averages over this epoch's training batches once all are done (only validation is left); else
            None.
        best: The best epoch so far.
        plateau: The memory of `ReduceOnPlateau`.
        callbacks: The states of callbacks that have one, by name.
        rows: One row of `history.csv` for every finished epoch.
    """

    epoch: int = 0
    step: int = 0
    total_steps: int = 0
    seconds: float = 0.0
    train_logs: Row | None = None
    best: Best = dataclasses.field(default_factory=Best)
    plateau: Plateau = dataclasses.field(default_factory=Plateau)
    callbacks: dict[str, Any] = dataclasses.field(default_factory=dict)
    rows: list[Row] = dataclasses.field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Returns the state as a dictionary that JSON can hold."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> State:
        """Returns the state that `to_json` gave `value` for."""
        return cls(**(value | {"best": Best(**value["best"]), "plateau": Plateau(**value["plateau"])}))
