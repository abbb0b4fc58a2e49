"""One line of the result of a check."""

from typing import NamedTuple

BATCH_SIZES = (1, 2, 33, 0)


class Finding(NamedTuple):
    """One line of the table.

    Attributes:
        check: What was checked.
        passed: Whether it is right; None if there was nothing to check.
        detail: What was found.
    """

    check: str
    passed: bool | None
    detail: str
