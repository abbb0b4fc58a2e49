"""The pictures of a study: its history, which options matter, and how options and results go together."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from rnnapps.extras import from_extra
from rnnapps.files import replacing

if TYPE_CHECKING:
    import optuna

_PICTURES = {
    "history.png": "plot_optimization_history",
    "importances.png": "plot_param_importances",
    "parallel_coordinates.png": "plot_parallel_coordinate",
}


def draw_study(study: optuna.Study, folder: Path) -> None:
    """Draws what Optuna draws of a study with two or more results that differ.

    Args:
        study: The study.
        folder: Where the PNG files go.
    """
    optuna = from_extra("optuna", extra="tune", purpose="tune")
    finished = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
    if len({trial.value for trial in finished}) < 2:
        return
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    monitor = finished[0].user_attrs["monitor"]
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its own pictures experimental
        for name, plot in _PICTURES.items():
            axes = getattr(optuna.visualization.matplotlib, plot)(study, target=_monitored, target_name=monitor)
            if name == "history.png":
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            figure = axes.figure
            figure.set_size_inches(9, 5)
            with replacing(folder / name) as partial:
                figure.savefig(partial, dpi=120, bbox_inches="tight")
            plt.close(figure)


def _monitored(trial: optuna.trial.FrozenTrial) -> float:
    return float(trial.user_attrs["value"])
