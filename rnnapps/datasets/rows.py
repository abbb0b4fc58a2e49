"""The one reader of rows: for training, evaluation, prediction and Beam, from files that may be larger than memory.

Tables (.csv, .tsv) have a header; JSON lines (.jsonl, .json, .ndjson) have an object on each line; of any other file
each line is an input. All are UTF-8. A folder is a table of the files in it. Each row comes with the place from which
reading can continue.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from rnnapps.datasets import json_lines
from rnnapps.datasets.lines import START, Layout, Place, decoded, examined, lines_after, without_line_end
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.tables import DELIMITERS, SwallowedRows, other_delimiter, records
from rnnapps.files import visible_files

JSON_LINES = json_lines.SUFFIXES
SUFFIXES = (*DELIMITERS, *JSON_LINES)
Options = str | Mapping[str, str] | None


class Row(NamedTuple):
    """A row, or what is wrong with it.

    Attributes:
        line: The line on which it begins, from 1.
        values: Its values by column; None if it is bad.
        problem: What is wrong with a bad row.
        end: The place after it.
        warning: What is suspicious about a good row.
    """

    line: int
    values: dict[str, Any] | None
    problem: str
    end: Place
    warning: str = ""


class Rows(NamedTuple):
    """A file that can be read row by row; made by `open_rows`.

    Attributes:
        path: A file or a folder.
        inputs: The columns that were asked for.
        columns: All columns in order. Of JSON lines: the keys of the first object that has all `inputs`.
        size: `Place.offset` at the end.
        files: Of a folder, the files in it.
        layout: How the lines of a file end.
        quoting: What quotes mean in a table.
        optional: The columns that are inputs, too, of the rows that have a value in them.
    """

    path: Path
    inputs: tuple[str, ...]
    columns: tuple[str, ...]
    size: int
    files: tuple[Path, ...] = ()
    layout: Layout = Layout()
    quoting: str = "standard"
    optional: tuple[str, ...] = ()

    def after(self, place: Place = START) -> Iterator[Row]:
        """The rows from a place on: from the beginning, or from the `end` of a row."""
        if self.path.is_dir():
            for index in range(place.offset, len(self.files)):
                name = self.files[index].relative_to(self.path).as_posix()
                yield Row(index + 1, {self.inputs[0]: name}, "", Place(index + 1, index + 2))
            return
        with open(self.path, "rb") as file:
            yield from _rows(file, place, self)


def open_rows(
    path: Path,
    columns: str | Sequence[str],
    option: Options = None,
    suffixes: Sequence[str] = (),
    quoting: str = "standard",
) -> Rows:
    """Looks at a file or folder: which columns it has, and how much there is to read.

    Args:
        path: The file or folder.
        columns: The columns that are needed.
        option: The option that names a column, if there is one; or the options by column.
        suffixes: How the names of the files in a folder end that are inputs; none if a folder is not an input.
        quoting: "standard", or "none" where quotes are ordinary characters of a table.

    Returns:
        The `Rows`.

    Raises:
        DataError: The file cannot be read, is not UTF-8, has no header, has a column twice, or lacks a column.
    """
    wanted = (columns,) if isinstance(columns, str) else tuple(columns)
    if path.is_dir() and suffixes:
        files = tuple(visible_files(path, suffixes))
        if not files:
            raise DataError(f"{path}: no files that end in {', '.join(suffixes)}")
        return Rows(path, wanted, wanted, len(files), files)
    try:
        with open(path, "rb") as file:
            return _opened(file, path, wanted, option, quoting)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def columns_of(path: Path, needed: str | Sequence[str] = ()) -> tuple[str, ...]:
    """The columns of a table; none for any other file. Arguments and errors as for `open_rows`."""
    is_table = path.suffix.lower() in SUFFIXES and path.is_file()
    return tuple(open_rows(path, needed).columns) if is_table else ()


def rows_of(
    file: BinaryIO, path: str, columns: str | Sequence[str], option: Options = None, quoting: str = "standard"
) -> Iterator[Row]:
    """The rows of a file that is open already and can seek; arguments and errors are those of `open_rows`."""
    wanted = (columns,) if isinstance(columns, str) else tuple(columns)
    yield from _rows(file, START, _opened(file, Path(path), wanted, option, quoting, name=path))


def _opened(
    file: BinaryIO, path: Path, wanted: tuple[str, ...], option: Options, quoting: str, name: str | None = None
) -> Rows:
    layout, head = examined(file, name or path)
    size = file.seek(0, 2)
    rows = Rows(path, wanted, wanted, size, layout=layout, quoting=quoting)
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        rows = rows._replace(columns=_header(file, rows, name or path))
    elif suffix in JSON_LINES:
        if problem := json_lines.not_lines(head.decode(errors="replace")):
            raise DataError(f"{name or path}: {problem}")
        rows = rows._replace(columns=_keys(file, rows))
    elif len(wanted) > 1:
        raise DataError(f"{name or path}: a file with several columns must end in {', '.join(SUFFIXES)}")
    for column in wanted:
        if column not in rows.columns:
            raise DataError(f"{name or path}: {_missing(column, rows, option)}")
    return rows


def _missing(column: str, rows: Rows, option: Options) -> str:
    suffix = rows.path.suffix.lower()
    if suffix in DELIMITERS and (hint := other_delimiter(rows.columns, rows.inputs, DELIMITERS[suffix])):
        return hint
    found = ", ".join(repr(name[:40]) for name in rows.columns) or "none"
    named = option.get(column) if isinstance(option, Mapping) else option
    return f"there is no column {column!r}; the columns are {found}" + (f": name one with {named}" if named else "")


def _header(file: BinaryIO, rows: Rows, name: Path | str) -> tuple[str, ...]:
    delimiter = DELIMITERS[rows.path.suffix.lower()]
    header = next(records(file, START, rows.layout, delimiter, rows.quoting), None)
    if header is None:
        raise DataError(f"{name}: no header: the file is empty")
    if header.problem:
        raise DataError(f"{name}:{header.line}: the header cannot be read: {header.problem}")
    columns = tuple(field.strip() for field in header.fields)
    if repeated := next((column for column in columns if columns.count(column) > 1), None):
        raise DataError(f"{name}: two columns of the header are called {repeated!r}; rename one")
    if "" in columns and columns.count("") > 1:
        raise DataError(f"{name}: two columns of the header have no name; name them, or delete them")
    return columns


def _keys(file: BinaryIO, rows: Rows) -> tuple[str, ...]:
    """The keys of the first object that has all inputs; those of all objects where none has."""
    every: dict[str, None] = {}
    for row in _json_rows(file, START, rows.layout):
        if row.values is not None and all(column in row.values for column in rows.inputs):
            return tuple(row.values)
        every |= dict.fromkeys(row.values or ())
    return tuple(every)


def _rows(file: BinaryIO, place: Place, rows: Rows) -> Iterator[Row]:
    suffix = rows.path.suffix.lower()
    if suffix in DELIMITERS:
        yield from _table_rows(file, place, rows, DELIMITERS[suffix])
    elif suffix in JSON_LINES:
        yield from _json_rows(file, place, rows.layout)
    else:
        yield from _text_rows(file, place, rows)


def _table_rows(file: BinaryIO, place: Place, rows: Rows, delimiter: str) -> Iterator[Row]:
    columns = rows.columns
    swallowed = SwallowedRows(len(columns), delimiter)
    header = place.offset == 0
    for record in records(file, place, rows.layout, delimiter, rows.quoting):
        line, fields, problem, end, _ = record
        if header:
            header = False
        elif problem:
            yield Row(line, None, problem, end)
        elif len(fields) != len(columns):
            yield Row(
                line, None, f"{len(fields)} field{'s' * (len(fields) != 1)} where the header has {len(columns)}", end
            )
        else:
            yield Row(line, dict(zip(columns, fields, strict=True)), "", end, swallowed.warning(record))


def _json_rows(file: BinaryIO, place: Place, layout: Layout) -> Iterator[Row]:
    for line in lines_after(file, place, layout):
        text, problem = decoded(line)
        if problem:
            yield Row(line.number, None, problem, line.end)
        elif text.strip():
            yield Row(line.number, *json_lines.parsed(text), line.end)


def _text_rows(file: BinaryIO, place: Place, rows: Rows) -> Iterator[Row]:
    (column,) = rows.inputs
    for line in lines_after(file, place, rows.layout):
        text, problem = decoded(line)
        yield Row(line.number, None if problem else {column: without_line_end(text)}, problem, line.end)
