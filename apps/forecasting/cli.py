"""`rnn-forecasting`: what forecasting declares. Commands import TensorFlow themselves: --help must be quick."""

from dataclasses import dataclass
from pathlib import Path

from rnnapps.cli import RecurrentOptions, Task, TrainingOptions, command_group
from rnnapps.datasets.sources import SeriesSource
from rnnapps.options import inherited, option

LEVELS = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)


@dataclass(frozen=True)
class Options(RecurrentOptions):
    """The options of `Forecaster`."""

    cell: str = inherited(RecurrentOptions, "cell", "gru")
    units: int = inherited(RecurrentOptions, "units", 96)
    dropout: float = inherited(RecurrentOptions, "dropout", 0.2)
    head: str = option(
        "quantiles",
        "What to forecast: all quantiles of the whole horizon at once, or the distribution of each step in turn.",
        choices=("quantiles", "normal", "student", "negative-binomial"),
    )
    context: int | None = option(
        None, "Number of past steps that the model reads.", minimum=1, missing="14 seasons, at most 336 steps"
    )
    segment: int | None = option(
        None,
        "With --head quantiles: number of steps that the recurrent layers read as one.",
        minimum=1,
        missing="a season",
    )
    hidden: int = option(128, "Width of the layer between the state and the forecast.", minimum=1)
    levels: tuple[float, ...] = option(
        LEVELS, "Quantile levels, ascending and including 0.5.", above=0, below=1, metavar="LEVELS"
    )
    ensemble: int = option(1, "Number of networks whose forecasts are averaged.", minimum=1, maximum=100)
    paths: int = option(200, "All heads but quantiles: number of paths sampled for a forecast.", minimum=2)


@dataclass(frozen=True)
class Training(TrainingOptions):
    """How to train a forecaster."""

    windows_per_epoch: int = option(
        6400, "Number of windows to draw from all series in an epoch.", minimum=1, metavar="WINDOWS"
    )


@dataclass(frozen=True)
class Backtest:
    """What `evaluate` forecasts, and what it compares with."""

    forecasts: int | None = option(
        None, "Number of forecasts per series, one horizon apart, at the end of the split.", minimum=1, missing="all"
    )
    peers: bool = option(False, "Also forecast with AutoETS and AutoTheta of statsforecast, which is slow.")


@dataclass(frozen=True)
class Shown:
    """How `predict` shows forecasts."""

    plot: Path | None = option(
        None, "Draw history, median and bands of the first few series as PNG.", metavar="PNG", shown=True, free=True
    )


TASK = Task(
    name="forecasting",
    summary="Forecasting: train on time series, evaluate, predict with bands, export for TensorFlow Serving.",
    source=SeriesSource,
    model=Options,
    training=Training(epochs=20, batch_size=64, learning_rate=3e-3, schedule="cosine", averaging=0.99, patience=5),
    implementation="rnnapps.apps.forecasting.task",
    requests="rnnapps.apps.forecasting.requests",
    page="rnnapps.apps.forecasting.page",
    columns=("history",),
    optional_columns=("start", "known", "past", "static"),
    outputs=("mean", "quantiles"),
    delimiter=",",
    argument="SERIES",
    batch_size=1024,  # series of one length are answered together
    decoding=Shown,
    evaluation=Backtest,
)
main = command_group(TASK)
