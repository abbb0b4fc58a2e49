"""`evaluate`: the task's figures on a split of the run's data, or on other data."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from rnnapps import options
from rnnapps.cli.app import Command
from rnnapps.cli.options import PATH, batch_size_option, click_options, collected, run_argument
from rnnapps.cli.output import say
from rnnapps.cli.run_config import read_run
from rnnapps.cli.task import Task
from rnnapps.files import strict_json
from rnnapps.run_folder import RunFolder


def evaluate_command(task: Task) -> click.Command:
    """The command `evaluate` of a task."""

    def evaluate(
        run: Path, split: str | None, report: Path | None, batch_size: int, as_json: bool, **values: Any
    ) -> None:
        folder, config, model = read_run(run, task)
        given = {name: values[name] for name in options.names(task.source) if name in values}
        source = options.redirected(config.source, given)
        app = task.code()
        other = options.name_data(source, given)
        chosen = split or (getattr(source, "split_of_other_data", "test") if other else "test")
        examples = app.load(source, [chosen])[chosen]
        for line in app.summary([examples]):
            say(line, err=as_json)
        if source == config.source:
            _warn_if_changed(folder, examples)
        if report is not None:
            report.mkdir(parents=True, exist_ok=True)
        metrics = app.assess(model, examples, batch_size, collected(task.evaluation, values), report)
        say(strict_json(metrics) if as_json else app.table(metrics))

    return Command(
        "evaluate",
        callback=evaluate,
        params=[
            run_argument(),
            *click_options(task.source, inherited=True),
            click.Option(
                ["--split"],
                type=click.Choice(["train", "validation", "test", "all"]),
                help="Part of the data to evaluate on; all is for your own data.  [default: test]",
            ),
            *click_options(task.evaluation, without=("shown", "free")),
            click.Option(["--report"], type=PATH, metavar="FOLDER", help="Folder for the pictures of the evaluation."),
            batch_size_option(task.batch_size),
            click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object."),
        ],
        help="Evaluate a trained RUN on its test split, or on other data.",
    )


def _warn_if_changed(run: RunFolder, examples: Any) -> None:
    """Warns when a split of the run's own data has another size than in training: it may be another split now."""
    from rnnapps.datasets import size_of

    before, now = run.read_config().get("data", ""), size_of(examples)
    known = re.search(rf"\b{examples.split} \d", before)
    if known and not re.search(rf"\b{re.escape(now)}(?![\d.,]*\d)", before):
        say(
            f"warning: the data are not those that {run.path} was trained on, so it may be tested on what it has read."
            f" Then: {before}. Now: {now}. Put the data back, or train a new run",
            err=True,
        )
