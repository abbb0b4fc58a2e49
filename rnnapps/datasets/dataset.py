"""What a data set is to the rest of the project: labelled texts of one split, and what is known about them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rnnapps.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

_SHOWN = 20  # bad rows or files that are named one by one


class DataError(UserError):
    """A mistake in the data or in how they were asked for, told in one line that names the mend."""


@dataclasses.dataclass(frozen=True)
class Rejected:
    """A row or file of somebody's own data that could not be used.

    Attributes:
      line: the line on which the row begins, counted from 1; None when the whole file is meant.
      reason: what is wrong with it.
      path: the file.
    """

    line: int | None
    reason: str
    path: pathlib.Path

    def __str__(self) -> str:
        where = f"{self.path}" if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class Dataset:
    """One split of a set of labelled texts.

    Attributes:
      examples: `tf.data.Dataset` of pairs (text, label): a string scalar in UTF-8 and an int64 scalar that
        indexes `classes`. Every pass yields the same examples in the same order, unshuffled.
      classes: the names of the classes in the order of their numbers.
      size: how many examples there are.
      name: the data set as it was asked for.
      split: "train", "validation", "test", or "all" for the whole of one's own data.
      path: the file or folder that was read, or the folder in which TFDS keeps the prepared set.
      rejected: the rows that were skipped, in the order of the file.
    """

    examples: tf.data.Dataset
    classes: tuple[str, ...]
    size: int
    name: str
    split: str
    path: pathlib.Path
    rejected: tuple[Rejected, ...] = ()


def skipped(rejected: Iterable[Rejected], one: str, more: str) -> Iterator[str]:
    """Lines that name what was left out: how many, and the first of them; none where nothing was.

    Args:
      rejected: what was left out; the same thing may be there more than once, since each split knows of it.
      one, more: what to call it, such as "row" and "rows".
    """
    rejected = list(dict.fromkeys(rejected))
    if rejected:
        yield f"skipped {len(rejected):,} bad {one if len(rejected) == 1 else more}:"
        yield from (f"  {bad}" for bad in rejected[:_SHOWN])
    if len(rejected) > _SHOWN:
        yield f"  and {len(rejected) - _SHOWN:,} more; --strict stops at the first"
