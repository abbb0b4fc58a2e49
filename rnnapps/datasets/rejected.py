"""What is wrong with data: an error that stops the work, and a row or file that is skipped and named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from rnnapps.errors import UserError

_SHOWN = 20  # rejected rows or files that are named one by one


class DataError(UserError):
    """A mistake in the data or in how they were asked for: one line that says how to fix it."""


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A row or a file of the user's own data that could not be used.

    Attributes:
        line: The line on which the row begins, counted from 1; None where the whole file is meant.
        reason: What is wrong with it.
        path: The file.
    """

    line: int | None
    reason: str
    path: Path

    def __str__(self) -> str:
        where = f"{self.path}" if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.reason}"


def skipped(rejected: Iterable[Rejected], one: str, more: str) -> Iterator[str]:
    """Lines that say how many rows were skipped, and name the first of them; no line if none was.

    Args:
        rejected: What was skipped. Duplicates count once, since each split may list the same rows.
        one, more: What to call it in the singular and the plural, such as "row" and "rows".
    """
    rejected = list(dict.fromkeys(rejected))
    if rejected:
        yield f"skipped {len(rejected):,} bad {one if len(rejected) == 1 else more}:"
        yield from (f"  {bad}" for bad in rejected[:_SHOWN])
    if len(rejected) > _SHOWN:
        yield f"  and {len(rejected) - _SHOWN:,} more; with --strict, the first is an error"


def first_of(rejected: Iterable[Rejected], one: str, more: str) -> str:
    """How many rows were rejected and why the first was, to be appended to an error message; "" if none was."""
    rejected = list(dict.fromkeys(rejected))
    if not rejected:
        return ""
    count = f"1 {one} was" if len(rejected) == 1 else f"{len(rejected):,} {more} were"
    return f" ({count} rejected, the first: {rejected[0]})"
