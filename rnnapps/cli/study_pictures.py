"""The pictures of a study: its history, the importance of options, and the relation between options and results."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """Draws Optuna's plots for a study with at least two different results.

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

    options: dict[str, Any] = {"target_name": finished[0].user_attrs["monitor"]}
    if finished[0].value != finished[0].user_attrs["value"]:  # a value to maximise, with its sign turned
        options["target"] = lambda trial: trial.user_attrs["value"]
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls its own pictures experimental
        for name, plot in _PICTURES.items():
            axes = getattr(optuna.visualization.matplotlib, plot)(study, **options)
            if name == "history.png":
                axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            figure = axes.figure
            for part in figure.axes:
                part.grid(False)  # each axis has its own lines, which do not fit the others
                part.set_facecolor("white")
            for lines in axes.collections:
                lines.set_cmap("viridis")  # Optuna's palest blue cannot be seen
            figure.set_size_inches(9, 5)
            with replacing(folder / name) as partial:
                figure.savefig(partial, dpi=120, bbox_inches="tight")
            plt.close(figure)
