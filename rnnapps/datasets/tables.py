"""Reading labelled texts from one CSV, TSV or JSON-lines file: the good rows, and by line what is wrong with others."""

import csv
import dataclasses
import json
import pathlib

from rnnapps.datasets.dataset import DataError, Rejected
from rnnapps.datasets.splits import SPLITS

DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".json", ".ndjson")
SUFFIXES = (*DELIMITERS, *JSON_LINES)
# The names under which people keep the three parts, as folders, as files and in a column.
SPLIT_NAMES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation"}
SPLIT_NAMES |= {"val": "validation", "dev": "validation", "test": "test"}
_LONGEST_FIELD = 2**31 - 1  # what csv.field_size_limit takes on every platform


@dataclasses.dataclass
class Rows:
    """Labelled texts in memory.

    Attributes:
      texts: the texts in UTF-8.
      labels: one label a text, as written.
      splits: for each text "train", "validation" or "test", or None where the data do not say.
      rejected: rows left out.
    """

    texts: list[bytes] = dataclasses.field(default_factory=list)
    labels: list[str] = dataclasses.field(default_factory=list)
    splits: list[str | None] = dataclasses.field(default_factory=list)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)


class _BadRow(Exception):
    """Why a row cannot be used."""


_Line = tuple[int, dict[str, object] | _BadRow]  # where a row begins, and the row by column or why there is none


def read_table(path: pathlib.Path, *, text_column: str, label_column: str, strict: bool) -> Rows:
    """Reads the labelled texts of one file.

    A delimited file has a header row; quoted fields may hold delimiters, newlines and doubled quotes, in TSV as in CSV.
    A JSON-lines file has one object a line. Text is UTF-8, with or without a byte order mark. A column named `split` is
    honoured. An empty text is a text; an empty label is a bad row.

    Args:
      path: the file; its suffix, one of `SUFFIXES`, says the format.
      text_column: the column or key of the text.
      label_column: the column or key of the label, words or numbers.
      strict: whether to stop at the first bad row instead of noting it in `rejected`.

    Raises:
      DataError: the file cannot be read, lacks a column, or (with `strict`) has a bad row.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(
            f"{path}: files that can be read end in {', '.join(SUFFIXES)}, not in {suffix or 'no suffix'!r}"
        )
    previous_limit = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with open(path, "rb") as file:
            if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                raise DataError(f"{path}: the file is UTF-16; save it as UTF-8")
        columns, lines = _read_json_lines(path) if suffix in JSON_LINES else _read_delimited(path, DELIMITERS[suffix])
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    finally:
        csv.field_size_limit(previous_limit)

    for column, option in ((text_column, "--text-column"), (label_column, "--label-column")):
        if columns and column not in columns:
            found = ", ".join(repr(name[:40]) for name in columns)
            raise DataError(f"{path}: there is no column {column!r}; the columns are {found}: name one with {option}")

    rows = Rows()
    for line, row in lines:
        try:
            if isinstance(row, _BadRow):
                raise row
            text, label, split = _text(row, text_column), _label(row, label_column), _split(row)
        except _BadRow as bad:
            rejected = Rejected(line, str(bad), path)
            if strict:
                raise DataError(str(rejected)) from None
            rows.rejected.append(rejected)
        else:
            rows.texts.append(text)
            rows.labels.append(label)
            rows.splits.append(split)
    return rows


def _read_delimited(path: pathlib.Path, delimiter: str) -> tuple[list[str], list[_Line]]:
    columns, lines, end = [], [], 0
    # Bytes that are not UTF-8 come through as lone surrogates, so that one of them costs its row and not the file.
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        # Strict quoting: a quote that is never closed would otherwise swallow the rest of the file as one good row.
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        while True:
            begin, malformed = end + 1, None
            try:
                fields = next(reader)
            except StopIteration:
                return columns, lines
            except csv.Error as error:
                malformed = _BadRow(f"malformed row ({error})")
            end = reader.line_num
            if malformed and not columns:
                raise DataError(f"{path}:{begin}: the header cannot be read: {malformed}")
            if malformed:
                lines.append((begin, malformed))
            elif not fields:  # a blank line
                continue
            elif not columns:
                columns = [name.strip() for name in fields]
            elif len(fields) != len(columns):
                lines.append((begin, _BadRow(f"{len(fields)} fields where the header has {len(columns)}")))
            else:
                lines.append((begin, dict(zip(columns, fields, strict=True))))


def _read_json_lines(path: pathlib.Path) -> tuple[list[str], list[_Line]]:
    columns, lines = {}, []
    with open(path, "rb") as file:
        for line, content in enumerate(file, start=1):
            try:
                text = content.decode("utf-8-sig" if line == 1 else "utf-8")
                row = json.loads(text) if text.strip() else None
            except UnicodeDecodeError:
                row = _BadRow("not UTF-8")
            except (ValueError, RecursionError) as error:
                row = _BadRow(f"not JSON ({error})")
            if row is None:  # a blank line, or null
                continue
            if isinstance(row, dict):
                columns.update(dict.fromkeys(row))
            elif not isinstance(row, _BadRow):
                row = _BadRow("not a JSON object")
            lines.append((line, row))
    return list(columns), lines


def _value(row: dict, column: str) -> object:
    value = row.get(column)
    if value is None:
        raise _BadRow(f"no value for {column!r}")
    return value


def _utf8(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise _BadRow("not UTF-8") from None


def _text(row: dict, column: str) -> bytes:
    value = _value(row, column)
    if not isinstance(value, str):
        raise _BadRow(f"{column!r} is not a string")
    return _utf8(value)


def _label(row: dict, column: str) -> str:
    value = _value(row, column)
    if isinstance(value, bool):
        value = str(value).lower()
    elif isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON writers that know only floats: 1.0 and 1 are one class
    elif isinstance(value, (dict, list)):
        raise _BadRow(f"{column!r} is neither a word nor a number")
    label = str(value).strip()
    if not label:
        raise _BadRow(f"empty {column!r}")
    _utf8(label)
    return label


def _split(row: dict) -> str | None:
    if "split" not in row:
        return None
    split = SPLIT_NAMES.get(str(row["split"]).strip().lower())
    if split is None:
        raise _BadRow(f"'split' is {str(row['split'])[:40]!r}, not one of {', '.join(SPLITS)}")
    return split
