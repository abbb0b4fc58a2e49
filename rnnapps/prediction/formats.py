"""How a row and its answers are written: as a line of .csv, .tsv or JSON lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rnnapps.datasets.rows import DELIMITERS, SUFFIXES
from rnnapps.errors import UserError
from rnnapps.files import strict_json
from rnnapps.prediction.answers import PREFIX


class Format(NamedTuple):
    """The format of an output.

    Attributes:
        columns: The columns of the input.
        outputs: The names of the answers that a table gets. JSON lines get all of them.
        delimiter: The separator of a table's cells; None for JSON lines.
    """

    columns: tuple[str, ...]
    outputs: tuple[str, ...]
    delimiter: str | None

    @property
    def header(self) -> bytes:
        """The first line of a table; nothing for JSON lines."""
        return b"" if self.delimiter is None else table_line(self._names, self.delimiter)

    @property
    def _names(self) -> list[str]:
        return [*self.columns, *(PREFIX + name for name in self.outputs)]

    def line(self, row: Mapping[str, Any], answer: Mapping[str, Any]) -> bytes:
        """A row with its answer."""
        values = {**row, **{PREFIX + name: value for name, value in answer.items()}}
        if self.delimiter is None:
            return _encoded(f"{strict_json(values)}\n")
        return table_line([cell(values.get(name)) for name in self._names], self.delimiter)

    def problem(self, row: Mapping[str, Any]) -> str:
        """Why a row of JSON lines, which may have keys that the first one does not have, cannot be written; or ""."""
        extra = [name for name in row if name not in self.columns]
        if self.delimiter is not None and extra:
            return f"{extra[0]!r} is not a key of the first row; write .jsonl to keep it"
        if taken := next(filter(_taken, row), None):
            return f"{taken!r} starts with {PREFIX!r}, which is reserved for answers; rename it"
        return ""


def check_new(output: Path, overwrite: bool) -> None:
    """Checks that an output may be written.

    Args:
        output: The file.
        overwrite: Whether it may replace a file.

    Raises:
        UserError: It exists and may not be replaced.
    """
    if output.exists() and not overwrite:
        raise UserError(f"--output {output}: already exists; choose another file, or add --overwrite")


def output_format(output: Path, columns: Sequence[str], outputs: Sequence[str]) -> Format:
    """The format for the suffix of an output.

    Args:
        output: The file, which ends in .csv, .tsv or as JSON lines do.
        columns: The columns of the input.
        outputs: The names of the answers that a table gets.

    Returns:
        The format.

    Raises:
        UserError: The file has another suffix, or a column has a name reserved for answers.
    """
    suffix = output.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(f"--output {output}: must end in {', '.join(SUFFIXES)}, got {output.suffix or 'no suffix'}")
    if taken := next(filter(_taken, columns), None):
        raise UserError(f"--input: the column {taken!r} starts with {PREFIX!r}, reserved for answers; rename it")
    return Format(tuple(columns), tuple(outputs), DELIMITERS.get(suffix))


def table_line(cells: Sequence[Any], delimiter: str = ",") -> bytes:
    """A line of a table."""
    line = io.StringIO()
    # With this end of line, carriage returns within cells are quoted as well.
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return _encoded(line.getvalue().removesuffix("\r\n") + "\n")


def cell(value: Any) -> str | int | float:
    """A value as a cell: text and numbers unchanged, nothing for None, everything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str | int | float) else strict_json(value)


def _encoded(line: str) -> bytes:
    return line.encode(errors="backslashreplace")  # names of files may contain bytes that are not UTF-8


def _taken(column: str) -> bool:
    return column.startswith(PREFIX)
