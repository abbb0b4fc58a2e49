"""Rows of files larger than memory, one at a time, each with the place from which reading can go on.

Tables (.csv, .tsv) have a header; JSON lines (.jsonl, .json, .ndjson) hold an object a line; of every other file each
line is an input. All are UTF-8. A folder is a table of the files in it.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rnnapps.errors import UserError

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".json", ".ndjson")
LONGEST_LINE = 16 * 2**20  # bytes; a file without line breaks would not fit in memory


class Place(NamedTuple):
    """Where reading goes on: an offset in bytes, and the number of the line that begins there. Of a folder: files."""

    offset: int = 0
    line: int = 1


class Row(NamedTuple):
    """A row, or why it is none.

    Attributes:
        line: where it begins, from 1.
        values: by column; None for a bad row.
        problem: what is wrong with a bad row.
        end: the place behind it.
    """

    line: int
    values: dict[str, object] | None
    problem: str
    end: Place


class Rows(NamedTuple):
    """What is to be read.

    Attributes:
        path: a file or a folder.
        column: the column that holds the input.
        columns: all columns, in order; of JSON lines those of the first row.
        size: `Place.offset` at the end.
        files: of a folder, the files in it.
    """

    path: Path
    column: str
    columns: tuple[str, ...]
    size: int
    files: tuple[Path, ...] = ()

    def after(self, place: Place) -> Iterator[Row]:
        """The rows from a place on."""
        if self.path.is_dir():
            for index in range(place.offset, len(self.files)):
                name = self.files[index].relative_to(self.path).as_posix()
                yield Row(index + 1, {self.column: name}, "", Place(index + 1, index + 2))
            return
        with open(self.path, "rb") as file:
            if place.offset == 0:
                _skip_byte_order_mark(file)
            else:
                file.seek(place.offset)
            suffix = self.path.suffix.lower()
            if suffix in DELIMITERS:
                yield from _table_rows(file, place, self.columns, DELIMITERS[suffix])
            elif suffix in JSON_LINES:
                yield from _json_lines(file, place)
            else:
                yield from _lines(file, place, self.column)


def open_rows(path: Path, column: str, option: str | None = None, suffixes: Sequence[str] = ()) -> Rows:
    """Looks at a file or folder: which columns it has, and how much there is to read.

    Args:
        path: the file or folder.
        column: the column of the input.
        option: the option that names it, if there is one.
        suffixes: of the files in a folder that are inputs; none if a folder is no input.

    Raises:
        UserError: it cannot be read, is no UTF-8, is empty where a header should be, or lacks the column.
    """
    if path.is_dir() and suffixes:
        files = tuple(sorted(file for file in path.rglob("*") if file.suffix.lower() in suffixes))
        if not files:
            raise UserError(f"--input {path}: no files that end in {', '.join(suffixes)}")
        return Rows(path, column, (column,), len(files), files)
    try:
        with open(path, "rb") as file:
            if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise UserError(f"--input {path}: the file is UTF-16; save it as UTF-8")
            size = file.seek(0, 2)
            file.seek(0)
            columns = _columns(file, path, column)
    except OSError as error:
        raise UserError(f"--input {path}: cannot be read: {error.strerror or error}") from None
    _check_column(path, column, columns, option)
    return Rows(path, column, columns, size)


def read_table(file: BinaryIO, path: str, column: str, option: str) -> Iterator[Row]:
    """The rows of a table, .csv or .tsv as `path` ends, whose `file` is open already and can seek.

    Raises:
        UserError: it has no header, or lacks the column that `option` names.
    """
    delimiter = DELIMITERS[Path(path).suffix.lower()]
    columns = _header(file, path, delimiter)
    _check_column(path, column, columns, option)
    _skip_byte_order_mark(file)
    yield from _table_rows(file, Place(), columns, delimiter)


def _check_column(path: Path | str, column: str, columns: Sequence[str], option: str | None) -> None:
    if column not in columns:
        found = ", ".join(repr(name[:40]) for name in columns) or "none"
        mend = f": name one with {option}" if option else ""
        raise UserError(f"--input {path}: there is no column {column!r}; the columns are {found}{mend}")


def _columns(file: BinaryIO, path: Path, column: str) -> tuple[str, ...]:
    suffix = path.suffix.lower()
    if suffix in DELIMITERS:
        return _header(file, path, DELIMITERS[suffix])
    if suffix in JSON_LINES:
        _skip_byte_order_mark(file)
        return next((tuple(row.values) for row in _json_lines(file, Place()) if row.values is not None), ())
    return (column,)


def _header(file: BinaryIO, path: Path | str, delimiter: str) -> tuple[str, ...]:
    _skip_byte_order_mark(file)
    header = next(_records(file, Place(), delimiter), None)
    if header is None or isinstance(header[1], str):
        raise UserError(f"--input {path}: no header: {header[1] if header else 'the file is empty'}")
    names = tuple(name.strip() for name in header[1])
    if len(set(names)) < len(names):
        raise UserError(f"--input {path}: two columns of the header have one name")
    return names


def _skip_byte_order_mark(file: BinaryIO) -> None:
    file.seek(3 if file.read(3) == b"\xef\xbb\xbf" else 0)


def _lines_of(file: BinaryIO, line: int) -> Iterator[tuple[int, bytes | None, Place]]:
    """Each line's number, its bytes (None if it is too long), and the place behind it."""
    while content := file.readline(LONGEST_LINE):
        too_long = len(content) == LONGEST_LINE and not content.endswith(b"\n")
        while too_long and (rest := file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
            pass
        yield line, None if too_long else content, Place(file.tell(), line + 1)
        line += 1


def _text(content: bytes | None) -> tuple[str, str]:
    """The text of a line, and what is wrong with it."""
    if content is None:
        return "", f"longer than {LONGEST_LINE // 2**20} MiB"
    try:
        return content.decode(), ""
    except UnicodeDecodeError:
        return "", "not UTF-8"


def _lines(file: BinaryIO, place: Place, column: str) -> Iterator[Row]:
    for line, content, end in _lines_of(file, place.line):
        text, problem = _text(content)
        yield Row(line, None if problem else {column: text.rstrip("\r\n")}, problem, end)


def _json_lines(file: BinaryIO, place: Place) -> Iterator[Row]:
    for line, content, end in _lines_of(file, place.line):
        text, problem = _text(content)
        values = None
        if not problem:
            if not text.strip():
                continue
            try:
                values = json.loads(text)
                json.dumps(values, ensure_ascii=False).encode()
            except (ValueError, RecursionError) as error:  # a lone surrogate is a ValueError too
                values, problem = None, f"not JSON ({error})"
            else:
                if not isinstance(values, dict):
                    values, problem = None, "not a JSON object"
        yield Row(line, values, problem, end)


def _table_rows(file: BinaryIO, place: Place, columns: tuple[str, ...], delimiter: str) -> Iterator[Row]:
    header = place.offset == 0
    for line, fields, end in _records(file, place, delimiter):
        if header:
            header = False
        elif isinstance(fields, str):
            yield Row(line, None, fields, end)
        elif len(fields) != len(columns):
            yield Row(line, None, f"{len(fields)} fields where the header has {len(columns)}", end)
        else:
            yield Row(line, dict(zip(columns, fields, strict=True)), "", end)


def _records(file: BinaryIO, place: Place, delimiter: str) -> Iterator[tuple[int, list[str] | str, Place]]:
    """The line of each record, its fields or what is wrong with it, and the place behind it; blank lines are none.

    After a bad record reading goes on with its second line: a quote that nobody closes costs one line, not the file.
    """
    csv.field_size_limit(LONGEST_LINE)
    while True:
        ends = []  # the places behind the lines of the record
        problems = []

        def lines(line=place.line, ends=ends, problems=problems):
            for _, content, end in _lines_of(file, line):
                ends.append(end)
                text, problem = _text(content)
                if problem:
                    problems.append(problem)
                    raise csv.Error(problem)
                yield text

        reader = csv.reader(lines(), delimiter=delimiter, strict=True)
        bad = None
        while bad is None:
            ends.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                bad = problems[0] if problems else f"malformed row ({error})"
            else:
                if fields:
                    yield place.line, fields, ends[-1]
                place = ends[-1]
        yield place.line, bad, ends[0]
        place = ends[0]
        file.seek(place.offset)
