"""`export`: a SavedModel for TensorFlow Serving, checked after writing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from rnnapps.cli.app import Command
from rnnapps.cli.options import COUNT, click_options, collected, run_argument
from rnnapps.cli.output import say
from rnnapps.cli.run_config import read_run
from rnnapps.cli.task import Task
from rnnapps.errors import UserError


def export_command(task: Task) -> click.Command:
    """The command `export` of a task."""
    quantize = click.Option(
        ["--quantize"],
        type=click.Choice(["dynamic"]),
        help="Also write a LiteRT file with eight-bit weights, and report what that costs in accuracy.",
    )

    def export(run: Path, output: Path, model_version: int | None, quantize: str | None = None, **values: Any) -> None:
        _export(task, run, output, model_version, bool(quantize), collected(task.decoding, values))

    return Command(
        "export",
        callback=export,
        params=[
            run_argument(),
            click.Option(
                ["--output"],
                type=click.Path(path_type=Path, file_okay=False),
                required=True,
                help="Folder of the model; the export goes into OUTPUT/VERSION.",
            ),
            click.Option(["--model-version"], type=COUNT, help="Version number.  [default: the next free one]"),
            *click_options(task.decoding, without=("shown", "requested")),
            *([quantize] if task.litert_input else []),
        ],
        help="Write OUTPUT/VERSION, a SavedModel for TensorFlow Serving, and check it in a process without Keras.",
        short_help="Write a SavedModel for TensorFlow Serving.",
    )


def _export(task: Task, run: Path, output: Path, version: int | None, quantize: bool, decoding: Any) -> None:
    from rnnapps import serving

    app, asking = task.code(), task.asking()
    if hasattr(asking, "check"):
        asking.check(decoding, "run", None)
    folder, config, model = read_run(run, task)
    split = _held_out(app, config.source)
    measured: list[Any] = []
    if quantize and split is None:
        raise UserError("--quantize measures accuracy on held-out data of the run, which cannot be read; leave it out")

    def add(extra: Path) -> None:
        measured.extend(app.quantize(model, extra / "model.tflite", split))

    saved = serving.save(
        output,
        [model, *(getattr(model, name) for name in task.resources)],
        app.endpoints(model, decoding),
        app.samples(model, split),
        about={
            "app": task.name,
            **app.about(model),
            "dataset": config.as_json(task)["source"].get("dataset"),
            "metrics": folder.read_metrics(),
        },
        version=version,
        batch_sizes=task.batch_sizes,
        add=add if quantize else None,
    )
    say(f"{saved.folder}: {saved.findings}, in a process without keras and rnnapps")
    for path in saved.kept:
        click.echo(f"{path}: kept because it was edited; delete it to have export write a new one")
    click.echo(f"signatures, and a request to try: {saved.folder / 'README.md'}")
    click.echo(f"to start a server: docker compose up, in {saved.folder.parent}")
    if quantize:
        before, after, count = measured
        file = saved.folder / "assets.extra" / "model.tflite"
        click.echo(f"{file}: {file.stat().st_size / 2**10:,.0f} KiB, takes {task.litert_input}")
        click.echo(
            f"accuracy on {count} examples of the {split.split} split: {before:.2%} before, {after:.2%} as LiteRT"
        )


def _held_out(app: Any, source: Any) -> Any:
    """The split whose inputs the check uses; None, with a warning, if it cannot be read."""
    problem = None
    for name in ("test", "validation"):  # parallel files with a separate validation file have no test split
        try:
            return app.load(source, [name])[name]
        except UserError as error:
            problem = problem or error
    say(f"warning: checking the export without the run's test data: {problem}", err=True)
    return None
