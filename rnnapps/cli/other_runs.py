"""Runs of other applications: a language model beside a transcriber, for instance. A run says whose it is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from rnnapps.cli.run_config import read_run


def read_run_of(application: str, run: Path) -> Any:
    """The model of a trained run of another application of this package.

    An application does not import its neighbours; what it needs of their models it takes from this object.

    Args:
        application: Its name, such as "language".
        run: The run folder.

    Raises:
        UserError: There is no such run, or it is one of yet another application.
    """
    task = import_module(f"rnnapps.apps.{application}.cli").TASK
    return read_run(run, task)[2]
