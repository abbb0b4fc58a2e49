"""The confusions of a classifier as lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def confusion_table(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> Iterator[str]:
    """Lines of a table with a row for each true class and a column for each predicted one; a dot stands for none.

    Args:
        classes: The names of the classes.
        confusion: How often each true class (row) was taken for each class (column).

    Example:
        >>> print(*confusion_table(["up", "down"], [[3, 0], [1, 12]]), sep="\\n")
                 up   down
          up      3      ·
        down      1     12
    """
    widths = [max(len(name), 5) for name in classes]
    margin = max(map(len, classes))
    yield " " * margin + "  " + "  ".join(name.rjust(width) for name, width in zip(classes, widths, strict=True))
    for name, row in zip(classes, confusion, strict=True):
        cells = (str(count or "·").rjust(width) for count, width in zip(row, widths, strict=True))
        yield f"{name.rjust(margin)}  " + "  ".join(cells)
