"""The page of an application that declares none: an input for each column, and the answer as `predict` gives it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rnnapps.cli.questions import Questions
from rnnapps.cli.task import Task
from rnnapps.errors import UserError
from rnnapps.pages import FileInput, Page, Part, Table, TextInput, TextOutput


def plain_page(task: Task, questions: Questions) -> Page:
    """A page with a field for each column of the task, the lines that `predict` prints, and the answer as JSON."""
    kind = FileInput if task.suffixes else TextInput

    def answer(**values: Any) -> Mapping[str, Any]:
        for column in task.columns:
            if not values[column]:
                raise UserError(f"{'drop in a file for' if task.suffixes else 'type something into'} {column!r}")
        row = {column: values[column] for column in task.columns}
        (found,) = questions.answers([row])
        return {
            "lines": [list(line) for line in questions.lines(row, found)],
            "json": json.dumps(found, ensure_ascii=False, indent=2),
        }

    part = Part(
        title=task.name,
        inputs=[kind(column, column) for column in task.columns],
        outputs=[Table("lines", "Answer"), TextOutput("json", "Answer as JSON", lines=6)],
        answer=answer,
    )
    return Page(f"rnn-{task.name}", task.summary.partition(":")[0] + ".", [part])
