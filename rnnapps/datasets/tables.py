"""The records of a delimited table (CSV, TSV) as a stream, in which a stray quote costs one line and not the file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from rnnapps.datasets import lines
from rnnapps.datasets.lines import Layout, Place, decoded, lines_after, without_line_end

DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NAMES = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
# Python's csv module ends a row at a carriage return; where it is data it is parsed as a character that no text has.
_LONE_RETURN, _STAND_IN = re.compile("\r(?!\n)"), "\udc0d"
_ADVICE = "if quotes are ordinary characters in this file, use --quoting none"
_CLOSED_VOCABULARY = 100  # values; a column with more of them says little about what a row looks like


class Record(NamedTuple):
    """A record of a table.

    Attributes:
        line: The number of its first line.
        fields: Its fields; none if it is bad.
        problem: What is wrong with a bad record.
        end: The place after it. After a malformed record that is the place after its first line.
        texts: Its lines.
    """

    line: int
    fields: list[str]
    problem: str
    end: Place
    texts: Sequence[str]


def records(file: BinaryIO, place: Place, layout: Layout, delimiter: str, quoting: str) -> Iterator[Record]:
    """The records of a table from a place on; blank lines are skipped.

    A record whose quotes do not fit is bad, and reading continues on its second line. So a quote that is never closed
    costs one line.

    Args:
        file: The table, which can seek.
        place: Where to begin.
        layout: See `rnnapps.datasets.lines.examined`.
        delimiter: The character between two fields.
        quoting: "standard": a field in double quotes may hold delimiters, line breaks and doubled quotes. "none":
            quotes are ordinary characters.
    """
    if quoting == "none":
        yield from _lines_as_records(file, place, layout, delimiter)
        return
    csv.field_size_limit(max(csv.field_size_limit(), lines.LONGEST_LINE))
    while True:
        # Each pass reads until a malformed record.
        taken: list[tuple[str, Place]] = []
        problems: list[str] = []
        reader = csv.reader(_texts(file, place, layout, taken, problems), delimiter=delimiter, strict=True)
        while True:
            taken.clear()
            problems.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                end = taken[0][1]
                yield Record(place.line, [], _malformed(str(error), end.line), end, ())
                place = end
                break
            end = taken[-1][1]
            if fields:
                if any(_STAND_IN in text for text, _ in taken):
                    fields = [field.replace(_STAND_IN, "\r") for field in fields]
                problem = problems[0] if problems else ""
                yield Record(place.line, [] if problem else fields, problem, end, [text for text, _ in taken])
            place = end


class _Unreadable(csv.Error):
    """A record that is too long to be read."""


def _texts(
    file: BinaryIO, place: Place, layout: Layout, taken: list[tuple[str, Place]], problems: list[str]
) -> Iterator[str]:
    """Lines for `csv.reader`; those of the record at hand are collected in `taken`, and what is wrong in `problems`."""
    size = 0
    for line in lines_after(file, place, layout):
        size = len(line.content or b"") + (size if taken else 0)
        text, problem = decoded(line)
        if text.find("\r", 0, -2) >= 0:
            text = _LONE_RETURN.sub(_STAND_IN, text)
        taken.append((text, line.end))
        if line.content is None or size > lines.LONGEST_LINE:
            raise _Unreadable(problem or f"longer than {lines.LONGEST_LINE // 2**20} MiB")
        if problem:
            problems.append(problem)
        yield text


def _malformed(error: str, next_line: int) -> str:
    if "expected after" in error:
        reason = "text after the closing quote of a field"
    elif "unexpected end of data" in error:
        reason = "a quoted field is never closed"
    else:
        return error
    return f"{reason}; 1 line is skipped and reading continues at line {next_line}; {_ADVICE}"


def _lines_as_records(file: BinaryIO, place: Place, layout: Layout, delimiter: str) -> Iterator[Record]:
    for line in lines_after(file, place, layout):
        text, problem = decoded(line)
        if problem:
            yield Record(line.number, [], problem, line.end, ())
        elif text := without_line_end(text):
            yield Record(line.number, text.split(delimiter), "", line.end, (text,))


class SwallowedRows:
    """Recognises quoted fields that hold rows: what two stray quotes make of all rows between them.

    A record of several lines is suspected if its lines have as many fields as the table has columns, and if in a
    column with few different values their values are among those of other rows.

    Args:
        columns: The number of columns of the table.
        delimiter: The character between two fields.
    """

    def __init__(self, columns: int, delimiter: str):
        self._delimiter = delimiter
        self._seen: list[set[str]] = [set() for _ in range(columns)]

    def warning(self, record: Record) -> str:
        """What to say about a good record; "" if there is nothing wrong with it."""
        if len(record.texts) == 1:
            for seen, field in zip(self._seen, record.fields, strict=True):
                if len(seen) < _CLOSED_VOCABULARY:
                    seen.add(field)
            return ""
        rows = [without_line_end(text).split(self._delimiter) for text in record.texts]
        alike = [row for row in rows if len(row) == len(self._seen)]
        if len(self._seen) < 2 or rows[0] not in alike or rows[-1] not in alike or len(alike) < 0.8 * len(rows):
            return ""
        if not any(map(self._resembles, self._seen, zip(*alike, strict=True))):
            return ""
        return (
            f"lines {record.line} to {record.line + len(rows) - 1} are one row: a quoted field holds lines that look"
            f" like rows; {_ADVICE}"
        )

    def _resembles(self, seen: set[str], values: tuple[str, ...]) -> bool:
        """Whether lines have the values of a column that its rows have."""
        if '"' in "".join(values):
            return False  # the column of the quoted field
        if len(values) >= 4 and len(set(values)) <= len(values) / 2:
            return True
        if len(seen) < _CLOSED_VOCABULARY:
            return seen.issuperset(values)
        return all(map(_is_number, seen)) and all(map(_is_number, values))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def other_delimiter(columns: Sequence[str], wanted: Sequence[str], delimiter: str) -> str:
    """What to say where the columns of a header are separated by another character; "" where they are not.

    Args:
        columns: The header as `delimiter` divides it, in which some of the columns `wanted` are missing.
        wanted: The columns that are needed.
        delimiter: The delimiter of the file's suffix.

    Example:
        >>> other_delimiter(["text;label"], ["text", "label"], ",")
        'the columns are separated by semicolons, not by commas; write the file with commas'
    """
    header = delimiter.join(columns)
    for other, name in _NAMES.items():
        names = {part.strip().strip('"') for part in header.split(other)}
        if other != delimiter and other in header and (len(columns) == 1 or names.issuperset(wanted)):
            suffix = next((suffix for suffix, character in DELIMITERS.items() if character == other), None)
            fix = f"rename it to end in {suffix}" if suffix else f"write the file with {_NAMES[delimiter]}"
            return f"the columns are separated by {name}, not by {_NAMES[delimiter]}; {fix}"
    return ""
