"""What `fit` returns."""

from __future__ import annotations

import dataclasses

from rnnapps.run_folder import RunFolder
from rnnapps.training.state import Row


@dataclasses.dataclass(frozen=True)
class History:
    """How a run went.

    Attributes:
        rows: For each epoch what `history.csv` says: `epoch` (from 1), `step` (batches since the start), `seconds`,
            `learning_rate`, then the metrics, those of validation with the prefix `val_`.
        best_epoch: The epoch whose weights are in the model and in `model.keras`; None if no epoch gave a finite value.
        best_value: The monitored value there.
        monitor: The name of the monitored value.
        stopped: Why training ended: `"epochs"` (all done), `"patience"` (early stopping) or `"callback"`.
        run: The run folder.
    """

    rows: tuple[Row, ...]
    best_epoch: int | None
    best_value: float | None
    monitor: str
    stopped: str
    run: RunFolder

    @property
    def best(self) -> Row:
        """The row of the best epoch (of the last one if no epoch was best)."""
        return self.rows[(self.best_epoch or 0) - 1]
