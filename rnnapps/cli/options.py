"""The options that every app has, in groups: data, model, training, prediction."""

from pathlib import Path

import click

from rnnapps.cli.config import config_option, defaults_from, saved_config


class _Seconds(click.FloatRange):
    """A waiting time; not-a-number lies in every range of Click's."""

    def convert(self, value, parameter, context):
        seconds = super().convert(value, parameter, context)
        if seconds != seconds:
            self.fail("nan is no number of seconds", parameter, context)
        return seconds


FRACTION = click.FloatRange(0, 1, max_open=True)
POSITIVE = click.FloatRange(0, min_open=True)
SECONDS = _Seconds(0, 86_400, min_open=True)
COUNT = click.IntRange(1)


def _together(*options):
    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def data_options(dataset: str):
    """--dataset, --data-dir, --strict, --seed."""
    return _together(
        click.option(
            "--dataset",
            default=dataset,
            show_default=True,
            metavar="NAME|PATH",
            help="An embedded data set, a TFDS name, or a file or folder of yours.",
        ),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where prepared data sets are kept.  [default: that of TFDS]",
        ),
        click.option("--strict", is_flag=True, help="Stop at the first bad row instead of skipping and counting it."),
        click.option(
            "--seed", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Makes two runs equal."
        ),
    )


def model_options(cell: str, units: int, layers: int, dropout: float, recurrent_dropout: float = 0.0, l2: float = 0.0):
    """--cell, --units, --layers, --dropout, --recurrent-dropout, --l2, --truncate, with an app's defaults."""
    return _together(
        click.option(
            "--cell",
            type=click.Choice(["rnn", "gru", "lstm"]),
            default=cell,
            show_default=True,
            help="Recurrent cell: lstm for long dependencies, gru for fewer weights, rnn for short sequences.",
        ),
        click.option(
            "--units",
            type=COUNT,
            default=units,
            show_default=True,
            help="Width of a recurrent layer; 128 to 512 is usual.",
        ),
        click.option(
            "--layers", type=click.IntRange(1, 3), default=layers, show_default=True, help="Recurrent layers."
        ),
        click.option(
            "--dropout",
            type=FRACTION,
            default=dropout,
            show_default=True,
            help="On the inputs of each layer; 0.2 to 0.5 is usual.",
        ),
        click.option(
            "--recurrent-dropout",
            type=FRACTION,
            default=recurrent_dropout,
            show_default=True,
            help="On the state between steps.",
        ),
        click.option(
            "--l2",
            type=click.FloatRange(0),
            default=l2,
            show_default=True,
            help="L2 penalty on the recurrent layers' weights.",
        ),
        click.option("--truncate", type=COUNT, help="Stop the gradient every so many steps.  [default: never]"),
    )


def training_options(
    run_dir: str,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    schedule: str,
    patience: int,
    averaging: float = 0.0,
):
    """--run-dir, --resume, --overwrite, --config, and how to train, with an app's defaults."""
    return _together(
        click.option(
            "--run-dir",
            type=click.Path(path_type=Path),
            default=run_dir,
            show_default=True,
            help="Folder for all that the run leaves.",
        ),
        click.option(
            "--resume",
            type=click.Path(path_type=Path),
            is_eager=True,
            expose_value=False,
            metavar="RUN",
            callback=_resume,
            help="Go on with an interrupted run, with the options that it has; all other options may be left out.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace the run in --run-dir."),
        config_option,
        click.option(
            "--epochs",
            type=COUNT,
            default=epochs,
            show_default=True,
            help="At the most; early stopping may end before.",
        ),
        click.option("--batch-size", type=COUNT, default=batch_size, show_default=True, help="Examples a step."),
        click.option(
            "--learning-rate", type=POSITIVE, default=learning_rate, show_default=True, help="1e-3 to 1e-2 is usual."
        ),
        click.option(
            "--schedule",
            type=click.Choice(["constant", "cosine", "plateau"]),
            default=schedule,
            show_default=True,
            help="Learning rate over time: constant, cosine after a warm-up, or halved when validation stalls.",
        ),
        click.option(
            "--clip-norm", type=POSITIVE, default=5.0, show_default=True, help="Bound on the gradient's global norm."
        ),
        click.option(
            "--averaging",
            type=FRACTION,
            default=averaging,
            show_default=True,
            help="Momentum of the moving average of the weights that is kept; 0 keeps the last ones.",
        ),
        click.option(
            "--patience",
            type=COUNT,
            default=patience,
            show_default=True,
            help="Epochs without a better result on the validation split before stopping.",
        ),
        click.option(
            "--checkpoint-every",
            type=COUNT,
            default=200,
            show_default=True,
            metavar="STEPS",
            help="Most steps that a kill can cost.",
        ),
        click.option("--gradient-flow", is_flag=True, help="Measure and draw the gradient of every time step."),
    )


def predict_options(command):
    """--batch-size and --json for prediction."""
    return _together(
        click.option("--batch-size", type=COUNT, default=64, show_default=True, help="Inputs answered at once."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON: one object a line."),
    )(command)


def _resume(context: click.Context, parameter: click.Parameter, run: Path | None) -> None:
    context.meta["resume"] = run is not None
    if run is not None:
        known = {option.name for option in context.command.params}
        values = {name: value for name, value in saved_config(run).items() if name in known}
        defaults_from(context, {**values, "run_dir": str(run)}, f"--resume {run}")
