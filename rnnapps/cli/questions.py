"""What the page of `try` asks a run, an export or a server."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rnnapps.cli.asking import Asked, Row, answer_rows, config_of, predictor_of
from rnnapps.cli.task import Task
from rnnapps.errors import UserError


class Questions:
    """Asks a run, an export or a server, for the function `page` of an application.

    Args:
        task: The task.
        asked: Who is asked.
        decoding: The options of the task's `decoding`.

    Attributes:
        kind: "run", "export" or "server".
        about: What an export says about itself; empty for a server.
        model: The model of a run; None for an export or a server.
        decoding: The options of the task's `decoding`.
    """

    def __init__(self, task: Task, asked: Asked, decoding: Any):
        self.decoding = decoding
        self._task, self._asked = task, asked
        first = predictor_of(task, asked, decoding)
        self._predictors = {task.signature: first}
        self.kind: str = first.kind
        self.about: Mapping[str, Any] = first.about
        self.model: Any = first.model

    def rows(self, arguments: Sequence[str]) -> list[Row]:
        """The rows for arguments of `predict`, if the application has `rows`."""
        found: Iterator[Row] = self._task.asking().rows(
            arguments, config_of(self._task, self._asked), self._predictors[self._task.signature].about
        )
        return list(found)

    def answers(self, rows: Sequence[Row], **changed: Any) -> list[Any]:
        """The answers to rows, as `predict` gives them.

        Args:
            rows: Dictionaries of the task's columns.
            **changed: Decoding options with other values for these rows; those declared `free` or `shown`.

        Raises:
            UserError: A row cannot be answered, or the server cannot be reached.
        """
        from rnnapps.prediction.answers import Refused

        decoding = dataclasses.replace(self.decoding, **changed)
        if hasattr(self._task.asking(), "check"):
            self._task.asking().check(decoding, self.kind, None)
        found = answer_rows(self._task, self._predictors[self._task.signature], decoding, rows)
        for answer in found:
            if isinstance(answer, Refused):
                raise UserError(answer.reason)
        return found

    def lines(self, row: Row, answer: Any) -> list[Sequence[str]]:
        """The lines that `predict` prints for an answer, as columns."""
        return list(self._task.asking().lines(1, row, answer, self.decoding))

    def outputs(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """The outputs of a signature, arrays with the batch first, for its inputs.

        Raises:
            UserError: The signature cannot answer, or the server cannot be reached.
        """
        if signature not in self._predictors:
            self._predictors[signature] = predictor_of(self._task, self._asked, self.decoding, signature, self.model)
        return self._predictors[signature].ask(inputs)
