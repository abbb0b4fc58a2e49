"""The run folder: what a training run leaves behind, and where. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from rnnapps.errors import UserError
from rnnapps.files import exists, write_json


class RunError(UserError):
    """A mistake that the user of a run can fix; the message is one line that says what is wrong and how to fix it."""


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """The paths of a run's files; no other place in the project knows them.

    Args:
        path: The folder itself. Making a `RunFolder` touches no disk; `rnnapps.training.fit` and
            `rnnapps.training.open_run` do.

    Example:
        >>> RunFolder(pathlib.Path("runs/first")).model_file.as_posix()
        'runs/first/model.keras'
    """

    path: pathlib.Path

    @property
    def config_file(self) -> pathlib.Path:
        """The options that the run was started with, as JSON."""
        return self.path / "config.json"

    @property
    def model_file(self) -> pathlib.Path:
        """The best model so far, in Keras's format."""
        return self.path / "model.keras"

    @property
    def checkpoints(self) -> pathlib.Path:
        """Folder of the states from which the run can be resumed."""
        return self.path / "checkpoints"

    @property
    def history_file(self) -> pathlib.Path:
        """One CSV line an epoch."""
        return self.path / "history.csv"

    @property
    def metrics_file(self) -> pathlib.Path:
        """How the run ended, as JSON; `add_metrics` adds to it."""
        return self.path / "metrics.json"

    @property
    def lock_file(self) -> pathlib.Path:
        """Held, with the number of its process, by whoever trains or removes the run."""
        return self.path / ".lock"

    @property
    def logs(self) -> pathlib.Path:
        """Folder of the TensorBoard event files."""
        return self.path / "logs"

    @property
    def report(self) -> pathlib.Path:
        """Folder of the pictures."""
        return self.path / "report"

    @property
    def curves_picture(self) -> pathlib.Path:
        """The learning curves, drawn by `fit`."""
        return self.report / "curves.png"

    @property
    def gradient_flow_picture(self) -> pathlib.Path:
        """The picture of `rnnapps.training.GradientFlow`."""
        return self.report / "gradient_flow.png"

    @property
    def files(self) -> tuple[pathlib.Path, ...]:
        """The files at the top of the folder, the one that makes it a run last."""
        return self.model_file, self.history_file, self.metrics_file, self.config_file

    @property
    def folders(self) -> tuple[pathlib.Path, ...]:
        """The folders inside it."""
        return self.checkpoints, self.logs, self.report

    def is_run(self) -> bool:
        """Whether a run was started in this folder."""
        return exists(self.config_file)

    def read_config(self) -> dict[str, Any]:
        """Reads the options that the run was started with.

        Returns:
            The content of `config.json`.

        Raises:
            RunError: There is no readable `config.json`.
        """
        return _read_json(self.config_file)

    def read_metrics(self) -> dict[str, Any]:
        """Reads `metrics.json`.

        Returns:
            Its content; an empty dictionary if there is none yet.

        Raises:
            RunError: `metrics.json` is there and cannot be read.
        """
        return _read_json(self.metrics_file) if self.metrics_file.exists() else {}

    def add_metrics(self, **sections: Any) -> None:
        """Adds or replaces top-level entries of `metrics.json`, for example `add_metrics(test={"accuracy": 0.9})`."""
        write_json(self.metrics_file, self.read_metrics() | sections)


def _read_json(path: pathlib.Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except NotADirectoryError:
        raise RunError(f"{path.parent} is not a run folder; give the folder that `train` wrote") from None
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"cannot read {path}: {error}; restore the file, or start a new run") from error
    if not isinstance(content, dict):
        raise RunError(
            f"cannot read {path}: expected a JSON object, got a {type(content).__name__}; "
            "restore the file, or start a new run"
        )
    return content
