"""The lines of a text file that may be larger than memory, each with the place from which reading can continue.

Lines end with `\\n` or `\\r\\n`. In a file whose first line ends with `\\r` alone, as on an old Macintosh, all three
end lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from rnnapps.datasets.rejected import DataError

LONGEST_LINE = 16 * 2**20  # bytes; a file without line breaks would not fit in memory
HEAD = 2**20  # bytes that are looked at before a file is read
_CHUNK = 2**16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_COMPRESSED = {b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
_ANY_END = re.compile(rb"\r\n|[\r\n]")
# With so many lines that are not UTF-8, and none with UTF-8 beyond ASCII, it is the file that has another encoding and
# not single rows that are damaged. In few lines the bytes FE and FF are damage: few letters are coded by them.
_FOREIGN_LINES, _FOREIGN_SHARE = 5, 0.2
_DAMAGE = re.compile(rb"[\xfe\xff]")


class Place(NamedTuple):
    """Where reading continues: an offset in bytes, and the number of the line that begins there. Of a folder: files."""

    offset: int = 0
    line: int = 1


START = Place()


class Line(NamedTuple):
    """A line.

    Attributes:
        number: Its number in the file, from 1.
        content: Its bytes with the line break; None if it is longer than `LONGEST_LINE`.
        end: The place after it.
    """

    number: int
    content: bytes | None
    end: Place


class Layout(NamedTuple):
    """What must be known of a file to read it from any place.

    Attributes:
        begin: Where the text begins: after the byte order mark, if there is one.
        old_mac: Whether a carriage return alone ends a line.
    """

    begin: int = 0
    old_mac: bool = False


def examined(file: BinaryIO, path: Path | str) -> tuple[Layout, bytes]:
    """Looks at the beginning of a file.

    Args:
        file: The file, which can seek.
        path: What to call it in an error message.

    Returns:
        Its layout, and the first `HEAD` bytes of its text.

    Raises:
        DataError: The file is not UTF-8.
    """
    file.seek(0)
    head = file.read(HEAD)
    begin = len(_BYTE_ORDER_MARK) if head.startswith(_BYTE_ORDER_MARK) else 0
    first = re.search(rb"\r*\n|\r", head)
    layout = Layout(begin, old_mac=first is not None and first[0] == b"\r")
    if not begin:
        _check_encoding(head, path, layout)
    return layout, head[begin:]


def lines_after(file: BinaryIO, place: Place, layout: Layout) -> Iterator[Line]:
    """The lines of a file from a place on."""
    offset, number = max(place.offset, layout.begin), place.line
    file.seek(offset)
    read = _read_any_end(file) if layout.old_mac else file.readline
    while content := read(LONGEST_LINE):
        offset += len(content)
        kept: bytes | None = content
        while len(content) == LONGEST_LINE and not content.endswith((b"\n", b"\r")):
            kept, content = None, read(LONGEST_LINE)
            offset += len(content)
        yield Line(number, kept, Place(offset, number + 1))
        number += 1


def decoded(line: Line) -> tuple[str, str]:
    """The text of a line, and what is wrong with it.

    Bytes that are not UTF-8 come as lone surrogates, so that quotes and delimiters around them keep their meaning.
    """
    if line.content is None:
        return "", f"longer than {LONGEST_LINE // 2**20} MiB"
    try:
        return line.content.decode(), ""
    except UnicodeDecodeError as error:
        return line.content.decode(errors="surrogateescape"), f"not UTF-8 ({foreign_byte(error)})"


def without_line_end(text: str) -> str:
    """A line without its line break.

    Example:
        >>> without_line_end("a\\r\\n"), without_line_end("a")
        ('a', 'a')
    """
    return text.rstrip("\r\n")


def _read_any_end(file: BinaryIO) -> Callable[[int], bytes]:
    """A function like `file.readline(limit)` for lines that end with `\\r`, `\\n` or `\\r\\n`."""
    buffer, at, at_end = b"", 0, False

    def read(limit: int) -> bytes:
        nonlocal buffer, at, at_end
        searched = at
        while True:
            found = _ANY_END.search(buffer, searched)
            # A \r that ends the buffer may be the first half of a line end.
            if found and (found.end() < len(buffer) or at_end or found[0] != b"\r"):
                end = found.end()
                break
            if at_end or len(buffer) - at > limit:
                end = len(buffer)
                break
            searched = max(len(buffer) - at - 1, 0)
            more = file.read(_CHUNK)
            buffer, at, at_end = buffer[at:] + more, 0, not more
        end = min(end, at + limit)
        line, at = buffer[at:end], end
        return line

    return read


def _check_encoding(head: bytes, path: Path | str, layout: Layout) -> None:
    for magic, packed in _COMPRESSED.items():
        if head.startswith(magic):
            raise DataError(f"{path}: the file is compressed ({packed}); unpack it first")
    if head.startswith(_UTF_16) or head.count(0) * 3 > len(head) > 0:
        raise DataError(f"{path}: the file is UTF-16; save it as UTF-8")
    if head.isascii():
        return
    lines = _ANY_END.split(head) if layout.old_mac else head.split(b"\n")
    if len(head) == HEAD:  # the last line is cut off, perhaps within a character
        lines = lines[:-1]
    foreign, probable, first = 0, 0, ""
    for number, line in enumerate(lines, start=1):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            foreign += 1
            probable += not _DAMAGE.search(line)
            first = first or f"line {number} has the {foreign_byte(error)}"
        else:
            if not line.isascii():  # so the file is UTF-8, and single rows of it are damaged
                return
    # Neither the header nor an empty line is a row.
    rows = max(sum(map(bool, lines)) - 1, 1)
    if foreign >= _FOREIGN_LINES or probable >= _FOREIGN_SHARE * rows:
        raise DataError(f"{path}: the file is not UTF-8: {first}; save it as UTF-8")


def foreign_byte(error: UnicodeDecodeError) -> str:
    """Names the byte that is not UTF-8, and what it stands for in the encoding that such files mostly have."""
    byte = error.object[error.start : error.start + 1]
    try:
        return f"byte 0x{byte.hex()}, which is {byte.decode('cp1252')!r} in Windows-1252"
    except UnicodeDecodeError:
        return f"byte 0x{byte.hex()}"
