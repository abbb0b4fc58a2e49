"""Decoded frames of your own videos, kept in files that are mapped into memory: more clips than memory holds.

A clip has a file of its own, named after a hash of the video (path, size and time of change) and of how it was read.
So the frames of a video are decoded once, whatever splits, runs and epochs read them. A file holds the number of frames
and then their bytes. It is not a `.npy` file: NumPy parses the header of one as Python, which fails at times in two
threads at once (`SystemError: AST constructor recursion depth mismatch`, CPython issue 106905; Python 3.11.7 has it).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from rnnapps.datasets.sources import VideoSource
from rnnapps.datasets.video_files import pictures_of, read_clip
from rnnapps.errors import UserError
from rnnapps.files import replacing
from rnnapps.native.cache import cache_folder, prepare_kept, unwritable
from rnnapps.progress_bar import progress_bar

_FORMAT = 1  # a change of what `read_clip` gives must change this number
_COUNT_BYTES = 8  # hold the number of frames, little-endian


class MappedClips(Sequence[np.ndarray]):
    """Clips in files: each is mapped into memory when it is asked for, uint8 `(frames, size, size, 3)`.

    Args:
        files: The files of their frames.
        size: Height and width of a frame in pixels.
    """

    def __init__(self, files: Sequence[Path], size: int) -> None:
        self.files, self.size = list(files), size

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> np.ndarray:  # type: ignore[override]
        try:
            return _mapped(self.files[place], self.size)
        except (OSError, ValueError) as error:
            raise UserError(
                f"{self.files[place]}: cached frames cannot be read: {error}; run the command again"
            ) from None


def cached_clips(paths: Sequence[Path], source: VideoSource) -> Iterator[tuple[Path, int] | UserError]:
    """The file of each clip's frames and their number, decoded now where it is not in the cache; or what is wrong.

    Several videos are decoded at once, and a bar on standard error shows how far it is, where that is a terminal.

    Args:
        paths: Video files and folders of pictures.
        source: How to read them.

    Raises:
        UserError: The cache cannot be written.
    """
    folder = cache_folder() / "clips"
    prepare_kept(folder)
    different = list(dict.fromkeys(paths))
    found: dict[Path, tuple[Path, int] | UserError] = {}
    with _decoders() as map_in_order, progress_bar("reading videos", len(different)) as advance:
        for path, clip in zip(
            different, map_in_order(lambda path: _cached(path, folder, source), different), strict=True
        ):
            advance(1)
            found[path] = clip
    for path in paths:
        yield found[path]


def _cached(path: Path, folder: Path, source: VideoSource) -> tuple[Path, int] | UserError:
    try:
        file = folder / f"{_key(path, source)}.rgb"
        with contextlib.suppress(OSError, ValueError):  # not there, or damaged
            return file, len(_mapped(file, source.size))
        frames = read_clip(path, source.fps, source.size, source.max_frames)
        with replacing(file) as partial, open(partial, "wb") as written:
            written.write(len(frames).to_bytes(_COUNT_BYTES, "little"))
            frames.tofile(written)
        return file, len(frames)
    except UserError as error:
        return error
    except OSError as error:
        raise unwritable(folder, error) from None


def _mapped(file: Path, size: int) -> np.ndarray:
    """The frames in a file of the cache. Raises OSError or ValueError if it is missing or damaged."""
    content = np.memmap(file, np.uint8, "r")
    frames = content[_COUNT_BYTES:].reshape(-1, size, size, 3)
    if len(frames) != int.from_bytes(content[:_COUNT_BYTES].tobytes(), "little"):
        raise ValueError("frames are missing")
    return frames


def _key(path: Path, source: VideoSource) -> str:
    try:
        status = [os.stat(file) for file in ([path] if not path.is_dir() else pictures_of(path))]
    except FileNotFoundError:
        raise UserError(f"{path}: no such file or folder") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or error}") from None
    content = [(one.st_size, one.st_mtime_ns) for one in status]
    told = (_FORMAT, str(path.resolve()), content, source.fps, source.size, source.max_frames)
    return hashlib.sha256(repr(told).encode(errors="surrogateescape")).hexdigest()[:32]


@contextlib.contextmanager
def _decoders() -> Iterator[Callable]:
    """A `map` in order over threads: FFmpeg decodes outside of Python's lock."""
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        yield pool.map
    finally:
        pool.shutdown(cancel_futures=True)  # Ctrl-C does not wait for a thousand videos
