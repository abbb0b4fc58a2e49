"""Runs of other applications: a language model for a transcriber, for instance. A run records its application."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from rnnapps.cli.run_config import read_run


def read_run_of(application: str, run: Path) -> Any:
    """The model of a trained run of another application of this package.

    Applications do not import each other; what one needs of another's model, it takes from this object.

    Args:
        application: Its name, such as "language".
        run: The run folder.

    Raises:
        UserError: There is no such run, or it belongs to a different application.
    """
    task = import_module(f"rnnapps.apps.{application}.cli").TASK
    return read_run(run, task)[2]
