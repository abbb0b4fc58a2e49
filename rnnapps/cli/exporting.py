"""The options of `export` and what it says; the same for every app."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from rnnapps.cli.options import COUNT
from rnnapps.errors import UserError

_MEASURED = 500  # examples of the test split, one by one, for the accuracy of a LiteRT file


def export_options(command):
    """--output and --model-version."""
    command = click.option("--model-version", type=COUNT, help="Number of the version.  [default: the next free one]")(
        command
    )
    return click.option(
        "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="The model's folder."
    )(command)


def quantize_option(command):
    """--quantize, for classifiers."""
    return click.option(
        "--quantize",
        type=click.Choice(["dynamic"]),
        help="Write a LiteRT file as well, with weights of eight bits, and say what that costs in accuracy.",
    )(command)


def tell_export(saved) -> None:
    """Says where an export is, what its check found, and what was not touched; see `rnnapps.serving.Saved`."""
    click.echo(f"{saved.folder}: {saved.findings}, in a process without keras and rnnapps")
    for path in saved.kept:
        click.echo(f"{path}: somebody has edited it, so it stays as it is; without it, export writes a new one")
    click.echo(f"signatures, and a request to try: {saved.folder / 'README.md'}")
    click.echo(f"to start a server: docker compose up, in {saved.folder.parent}")


def export_classifier(write: Callable, quantize: Callable | None, inputs: Sequence, labels: Sequence, takes: str):
    """Exports a classifier, with a LiteRT file if it is wanted, and says what came out.

    Args:
        write: writes the export, given `add` as of `rnnapps.serving.save`.
        quantize: given a file, inputs and labels, writes a LiteRT file and returns the accuracy before and after; None
            for no such file.
        inputs, labels: the test split, of which the first 500 are measured; empty where it cannot be read.
        takes: what the LiteRT file takes, for the user.

    Raises:
        UserError: a LiteRT file is wanted and there is nothing to measure it on.
    """
    if quantize is None:
        tell_export(write(None))
        return
    if not len(labels):
        raise UserError("--quantize measures accuracy on the test split of the run's data, which cannot be read")
    inputs, labels = inputs[:_MEASURED], labels[:_MEASURED]
    accuracies = []
    saved = write(lambda extra: accuracies.extend(quantize(extra / "model.tflite", inputs, labels)))
    tell_export(saved)
    before, after = accuracies
    file = saved.folder / "assets.extra" / "model.tflite"
    click.echo(f"{file}: {file.stat().st_size / 2**10:,.0f} KiB, takes {takes}")
    click.echo(f"accuracy on {len(labels)} examples of the test split: {before:.2%} before, {after:.2%} as LiteRT")
