"""Running text: files, folders of files and data sets, read in blocks and never as a whole.

Files are text in UTF-8, also compressed (`.gz`). Bytes that are not UTF-8 are kept as they are. A folder's files are
read in the order of their names, those of its folders too; names that begin with a dot are skipped, and with a remark
what is no text. A folder may say what is in which split: by files or folders of its own called train, validation and
test.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple

from rnnapps.datasets.rejected import DataError, Rejected
from rnnapps.datasets.source_paths import paths_of
from rnnapps.datasets.sources import CorpusSource
from rnnapps.datasets.splits import SPLIT_NAMES, SPLITS
from rnnapps.files import opened, visible_files

BLOCK = 1 << 20  # bytes of text at a time
HELD_OUT = 0.1  # of the text, its end
_SNIFFED = 1 << 16


class Block(NamedTuple):
    """A piece of a document.

    Attributes:
        text: At most `BLOCK` bytes and a line's rest, cut after a line break, else a space, where there is one.
        last: Whether the document ends here.
    """

    text: bytes
    last: bool


@dataclasses.dataclass(frozen=True)
class Corpus:
    """The text of a split.

    Attributes:
        read: Starts to read: the blocks of all documents, in order. No document is empty.
        bytes: Its size; of compressed files too, that of the text.
        identity: A string that changes when the text does.
        name: The data set as it was asked for.
        split: "train", "validation", "test" or "all".
    """

    read: Callable[[], Iterator[Block]]
    bytes: int
    identity: str
    name: str
    split: str
    rejected: tuple[Rejected, ...] = ()
    notes: tuple[str, ...] = ()

    def beginning(self, size: int) -> Corpus:
        """The first `size` bytes, or a few less."""
        if size >= self.bytes:
            return self
        part = _Part(self.read, 0, size)
        return dataclasses.replace(self, read=part.read, bytes=size, identity=f"{self.identity} first {size}")


def read_corpora(source: CorpusSource, splits: Sequence[str] | None) -> dict[str, Corpus]:
    """Reads splits of files and folders.

    Args:
        source: Where the text is.
        splits: The splits wanted; None for all three.

    Raises:
        DataError: A file that is named is missing or binary, or there is no text.
    """
    paths = paths_of(source)
    name = source.dataset
    parts: dict[str, Corpus] = {}
    if len(paths) == 1 and paths[0].is_dir() and splits != ["all"]:
        named = _named_parts(paths[0])
        if "train" in named:
            parts = {split: _of_files(named[split], name, split) for split in named}
    for split, path in (("validation", source.validation), ("test", source.test)):
        if path is not None:
            parts[split] = _of_files([Path(path).expanduser()], str(path), split)
    if splits == ["all"]:
        return {"all": _of_files(paths, name, "all")}
    if "train" not in parts:
        parts["train"] = _of_files(paths, name, "train")
    return chosen(parts, splits, source)


def chosen(parts: dict[str, Corpus], splits: Sequence[str] | None, source: CorpusSource) -> dict[str, Corpus]:
    """The splits wanted. The last tenth of the text validates, and tests, where no other text does."""
    if "validation" not in parts:
        whole = parts["train"]
        begin = int(whole.bytes * (1 - HELD_OUT))
        held_out, rest = _Part(whole.read, begin, whole.bytes), _Part(whole.read, 0, begin)
        parts["validation"] = dataclasses.replace(
            whole,
            read=held_out.read,
            bytes=whole.bytes - begin,
            identity=f"{whole.identity} from {begin}",
            split="validation",
        )
        parts["train"] = dataclasses.replace(
            whole, read=rest.read, bytes=begin, identity=f"{whole.identity} to {begin}", split="train"
        )
    if "test" not in parts:
        note = "there is no test text, so the test split is the validation text"
        parts["test"] = dataclasses.replace(parts["validation"], split="test", notes=(*parts["validation"].notes, note))
    if source.megabytes is not None:
        sizes = {"train": 1e6, "validation": 1e5, "test": 1e5}
        parts = {split: part.beginning(int(source.megabytes * sizes[split])) for split, part in parts.items()}
    return {split: parts[split] for split in (SPLITS if splits is None else splits)}


def of_documents(documents: Callable[[], Iterable[bytes]]) -> Callable[[], Iterator[Block]]:
    """The function `read` of a corpus whose documents come one after the other."""

    def read() -> Iterator[Block]:
        for document in documents():
            if document:
                yield from _blocks(io.BytesIO(document))

    return read


class _Part(NamedTuple):
    """What lies between two positions of a corpus. A cut moves on to the end of its line, or of its character."""

    whole: Callable[[], Iterator[Block]]
    begin: int
    end: int

    def read(self) -> Iterator[Block]:
        position = 0
        for text, last in self.whole():
            first = _cut(text, self.begin - position)
            stop = _cut(text, self.end - position)
            position += len(text)
            if first < stop:
                yield Block(text[first:stop], last or stop < len(text) or position >= self.end)
            if position >= self.end:
                return


def _cut(text: bytes, at: int) -> int:
    """The place at or after `at` where a block may be cut."""
    if at <= 0 or at >= len(text):
        return max(0, min(at, len(text)))
    line = text.find(b"\n", at - 1, at + 4096)
    if line >= 0:
        return line + 1
    while at < len(text) and text[at] & 0xC0 == 0x80:  # within a character
        at += 1
    return at


def batched(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Blocks in lists of about `BLOCK` bytes, so that short documents are worked on together."""
    batch: list[Block] = []
    size = 0
    for block in blocks:
        batch.append(block)
        size += len(block.text)
        if size >= BLOCK:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _of_files(paths: Sequence[Path], name: str, split: str) -> Corpus:
    files, sizes, bad = [], [], []
    for path in paths:
        for file in _files(path):
            try:
                size = _size(file)
            except DataError as error:
                if file == path:
                    raise
                bad.append(error)  # folders of text often hold a picture, too
                continue
            files.append(file)
            sizes.append(size)
    if not sum(sizes):
        why = f" (the first problem: {bad[0]})" if bad else ""
        raise DataError(f"{', '.join(map(str, paths))}: no text found{why}; name a file or folder that contains text")
    many = f"{len(bad):,} files, the first" if len(bad) > 1 else "1 file"
    notes = (f"skipped {many}: {bad[0]}",) if bad else ()
    digest = hashlib.sha256()
    for file, size in zip(files, sizes, strict=True):
        digest.update(f"{file.resolve()}\0{size}\0{file.stat().st_mtime_ns}\0".encode(errors="surrogateescape"))

    def read() -> Iterator[Block]:
        for file, size in zip(files, sizes, strict=True):
            if size:
                with opened(file) as content:
                    yield from _blocks(content)

    return Corpus(read, sum(sizes), digest.hexdigest(), name, split, notes=notes)


def _named_parts(folder: Path) -> dict[str, list[Path]]:
    parts: dict[str, list[Path]] = {}
    for entry in sorted(folder.iterdir()):
        split = SPLIT_NAMES.get(entry.name.split(".")[0].lower())
        if split:
            parts.setdefault(split, []).append(entry)
    return parts


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in visible_files(path) if file.is_file()]
    if not path.is_file():
        raise DataError(f"no such file or folder: {path}")
    return [path]


def _size(file: Path) -> int:
    """The size of a file's text, found out without keeping it."""
    try:
        with opened(file) as content:
            first = content.read(_SNIFFED)
            if b"\0" in first:
                raise DataError(f"{file}: is binary, not text in UTF-8")
            if file.suffix != ".gz":
                return file.stat().st_size
            size = len(first)
            while block := content.read(BLOCK):
                size += len(block)
            return size
    except (OSError, EOFError) as error:
        raise DataError(f"{file}: cannot be read: {_read_error(error)}") from None


def _read_error(error: Exception) -> str:
    """What is wrong with a file that cannot be read, and how to fix it."""
    if isinstance(error, gzip.BadGzipFile):
        return "it is not a gzip file; rename it without .gz"
    if isinstance(error, EOFError):
        return "it is cut off; copy it again"
    return str(error)


def _blocks(content: IO[bytes]) -> Iterator[Block]:
    rest = content.read(BLOCK)
    if rest.startswith(b"\xef\xbb\xbf"):  # the mark that some editors put before UTF-8
        rest = rest[3:]
    while following := content.read(BLOCK):
        end = rest.rfind(b"\n") + 1 or rest.rfind(b" ") + 1
        if not end:
            end = _cut(rest, len(rest) - 3)
        yield Block(rest[:end], False)
        rest = rest[end:] + following
    if rest:
        yield Block(rest, True)
