"""Writing so that nobody ever sees half a file or folder: beside its place, then renamed into it."""

from __future__ import annotations

import contextlib
import csv
import errno
import gzip
import io
import json
import math
import os
import pathlib
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import IO, Any, cast

NOT_UTF8 = "the name of this folder is not UTF-8, which TensorFlow needs; rename it"
_PARTIAL = re.compile(r"\.partial-(\d+)-.+")
_being_written: set[pathlib.Path] = set()  # by this process


@contextlib.contextmanager
def replacing(path: pathlib.Path, *, durable: bool = False) -> Iterator[pathlib.Path]:
    """Yields a path in the same folder to write to; when the block ends well, what is there takes the place of `path`.

    The yielded path does not exist yet; the block makes a file or a folder of it. Its name keeps the suffix of `path`
    (Keras tells formats by it) and starts with a dot. If the block raises, `path` stays as it was and what was written
    is removed; after a kill, `remove_leftovers` removes it.

    Args:
        path: The file or folder to replace. A folder in its place is removed.
        durable: Whether the content must survive a power cut once the block has ended, which takes some time.
    """
    partial = _partial(path)
    _being_written.add(partial)
    try:
        yield partial
        if durable:
            _sync(partial)
        if path.is_dir() and partial.is_dir():  # a folder that is not empty cannot be replaced by a rename
            remove_folder(path)
        os.replace(partial, path)
        if durable:
            _sync_entries(path.parent)
    finally:
        _remove(partial)
        _being_written.discard(partial)


def opened(path: pathlib.Path) -> IO[bytes]:
    """Opens a file to read its bytes, unpacked if its name ends in `.gz`."""
    return cast("IO[bytes]", gzip.open(path)) if path.suffix == ".gz" else open(path, "rb")


def remove_folder(path: pathlib.Path) -> None:
    """Removes a folder so that a kill never leaves half of it under its name."""
    partial = path.with_name(f".partial-{os.getpid()}-removed-{path.name}")
    _remove(partial)
    os.replace(path, partial)
    _remove(partial)


def remove_leftovers(folder: pathlib.Path) -> None:
    """Removes what processes that were killed inside `replacing` left in a folder, if it exists.

    What a running process writes at this moment stays.
    """
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        match = _PARTIAL.fullmatch(entry.name)
        if match and entry not in _being_written and not _runs(int(match[1])):
            _remove(entry)


def named_path(error: OSError) -> pathlib.Path | None:
    """The path that an error names, if it names one; for a partial file of `replacing`, the path that it is to have."""
    if error.filename is None:
        return None
    return pathlib.Path(re.sub(r"\.partial-\d+-", "", os.fsdecode(error.filename)))


def exists(path: pathlib.Path) -> bool:
    """Whether there is a file or folder; False for a text that is too long to be a name."""
    try:
        return path.exists()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise


def visible_files(folder: pathlib.Path, suffixes: Collection[str] = ()) -> list[pathlib.Path]:
    """The files below a folder in the order of their paths, without those that are hidden or in a hidden folder.

    Args:
        folder: The folder.
        suffixes: How their names end, in lower case with the dot; all files if there are none.
    """

    def is_wanted(path: pathlib.Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        return not hidden and (not suffixes or path.suffix.lower() in suffixes) and not path.is_dir()

    return sorted(filter(is_wanted, folder.rglob("*")))


def is_utf8(name: str | pathlib.Path) -> bool:
    """Whether the name of a file is UTF-8: Python keeps other bytes as lone surrogates, and TensorFlow refuses them."""
    try:
        str(name).encode()
    except UnicodeEncodeError:
        return False
    return True


def strict_json(value: Any, indent: int | None = None) -> str:
    """`value` as strict JSON: a number that is not finite becomes null, which every JSON reader takes."""
    return json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def write_json(path: pathlib.Path, value: Mapping[str, Any]) -> None:
    """Writes `value` as `strict_json`."""
    with replacing(path, durable=True) as partial:
        # Of a path that is not UTF-8, JSON's own escapes keep the bytes.
        partial.write_bytes(f"{strict_json(value, indent=2)}\n".encode(errors="backslashreplace"))


def write_csv(path: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes one line a row under a header with the keys of all rows in order of appearance."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with replacing(path) as partial:
        partial.write_text(text.getvalue(), "utf-8")


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _partial(path: pathlib.Path) -> pathlib.Path:
    return path.with_name(f".partial-{os.getpid()}-{path.name}")


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()


def _runs(pid: int) -> bool:
    """Whether another process with this number runs. A container often gives its process the same number again."""
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it runs, and belongs to another user
        return True
    return True


def _sync(path: pathlib.Path) -> None:
    """Waits until a file, or a folder with all in it, is on the disk."""
    if path.is_dir():
        for entry in path.iterdir():
            _sync(entry)
        _sync_entries(path)
        return
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def _sync_entries(folder: pathlib.Path) -> None:
    """Waits until the names in a folder are on the disk; not every file system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
