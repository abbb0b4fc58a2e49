"""The commands that every application has."""

import click

from rnnapps.cli.app import App
from rnnapps.cli.evaluate import evaluate_command
from rnnapps.cli.export import export_command
from rnnapps.cli.predict import predict_command
from rnnapps.cli.task import Task
from rnnapps.cli.train import train_command
from rnnapps.cli.try_page import try_command
from rnnapps.cli.tune import tune_command


def command_group(task: Task) -> click.Group:
    """The command line of an application: `train`, `tune`, `evaluate`, `predict`, `try` and `export`.

    Commands that only one application has are added to the group as Click does it, with `@group.command()`.

    Args:
        task: What the application declares.

    Returns:
        A group whose failures are one line on standard error, to be called by a console script.
    """
    group = App(f"rnn-{task.name}", help=task.summary)
    for make in (train_command, tune_command, evaluate_command, predict_command, try_command, export_command):
        group.add_command(make(task))
    return group
