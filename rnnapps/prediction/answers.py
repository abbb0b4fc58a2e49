"""Answers to many rows; one bad row does not cost the others their answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from rnnapps.serving.clients.errors import BadRequest

PREFIX = "predicted_"  # of an output's name, in a file that also has the columns of its input

Row = Mapping[str, Any]
Input = TypeVar("Input")


class Refused(NamedTuple):
    """What a row gets if it cannot be answered.

    Attributes:
        reason: Why not.
    """

    reason: str


Answer = Callable[[list[Input]], Sequence[Any]]


def answer_each(answer: Answer, inputs: list[Input]) -> list[Any]:
    """Answers a list of inputs; if the request for all is refused, halves it until the bad row is isolated.

    Args:
        answer: From a list of inputs to an answer each. Raises `BadRequest` if one of them is at fault.
        inputs: What to answer.

    Returns:
        An answer or a `Refused` for each input.

    Example:
        >>> def roots(numbers):
        ...     if min(numbers) < 0:
        ...         raise BadRequest("must not be negative")
        ...     return [number**0.5 for number in numbers]
        >>> answer_each(roots, [4, -1, 9])
        [2.0, Refused(reason='must not be negative'), 3.0]
    """
    if not inputs:
        return []
    try:
        return list(answer(inputs))
    except BadRequest as error:
        if len(inputs) == 1:
            return [Refused(str(error))]
    middle = len(inputs) // 2
    return [*answer_each(answer, inputs[:middle]), *answer_each(answer, inputs[middle:])]
