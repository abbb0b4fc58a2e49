"""The exceptions of a training run that stops before its end."""

from __future__ import annotations

import pathlib
import signal

from rnnapps.errors import Stopped
from rnnapps.run_folder import RunError


class Diverged(RunError):
    """The training loss is no longer a finite number. The best weights up to then stay in the run's `model.keras`."""


class WorkerLost(RunError):
    """Another worker of a distribution strategy is gone. All of them have to start again, from the last checkpoint."""


class Interrupted(Stopped):
    """Training was asked to stop (Ctrl-C or SIGTERM) and did, between two steps, with everything saved.

    Attributes:
        run_dir: The run folder; `fit(..., run_dir=run_dir, resume=True)` goes on where this run stopped.
        signal: `signal.SIGINT` or `signal.SIGTERM`. A command-line tool exits with `128 + signal`.
    """

    def __init__(self, message: str, run_dir: pathlib.Path, received: signal.Signals):
        super().__init__(message)
        self.run_dir = run_dir
        self.signal = received
