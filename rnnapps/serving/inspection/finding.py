"""One line of what a check found."""

from typing import NamedTuple

BATCH_SIZES = (1, 2, 33, 0)


class Finding(NamedTuple):
    """One line of the table: what was looked at, whether it is as it must be (None: nothing to look at), and why."""

    check: str
    passed: bool | None
    detail: str
