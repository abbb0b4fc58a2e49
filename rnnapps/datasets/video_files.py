"""Frames of video files, sampled by their times and scaled, as PyAV (FFmpeg) reads them. Imports no TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.datasets.labels import natural_order
from rnnapps.datasets.video_suffixes import PICTURES
from rnnapps.errors import UserError
from rnnapps.extras import from_extra


def read_clip(path: Path, fps: float, size: int, max_frames: int) -> np.ndarray:
    """The frames of a video file, or of a folder of pictures.

    A video is sampled by time: frame k is the one that is on the screen k / fps seconds after the first. So videos of
    any rate, and of a rate that varies, give the same number of frames a second. The pictures of a folder, in the
    natural order of their names, are the frames as they are, since they have no times.

    Args:
        path: A file, or a folder that holds pictures.
        fps: Frames a second.
        size: Height and width that frames are scaled to; the proportions are not kept, and nothing is cut off.
        max_frames: Most frames; what comes after them is not decoded.

    Returns:
        uint8 `(frames, size, size, 3)`, at least one frame.

    Raises:
        UserError: The file cannot be read, or there is no frame in it; or PyAV is not installed.
    """
    if path.is_dir():
        pictures = pictures_of(path)[:max_frames]
        if not pictures:
            raise UserError(f"{path}: no pictures in this folder ({', '.join(PICTURES)})")
        return np.concatenate([_decoded(picture, fps, size, 1) for picture in pictures])
    return _decoded(path, fps, size, max_frames)


def pictures_of(folder: Path) -> list[Path]:
    """The pictures in a folder, in the natural order of their names: `frame_9.png` before `frame_10.png`."""
    names = [
        file.name
        for file in folder.iterdir()
        if file.suffix.lower() in PICTURES and not file.name.startswith(".") and file.is_file()
    ]
    return [folder / name for name in natural_order(names)]


def _decoded(path: Path, fps: float, size: int, max_frames: int) -> np.ndarray:
    av = from_extra("av", extra="video", purpose="reading video")
    frames: list[np.ndarray] = []
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: contains no video")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in _sampled(container.decode(stream), stream, fps):
                repeated = frames and frame is None
                frames.append(frames[-1] if repeated else _scaled(frame, size))
                if len(frames) == max_frames:
                    break
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such file or folder") from None
    except (OSError, ValueError, av.error.FFmpegError) as error:
        place = f" after {len(frames)} frames" if frames else ""
        raise UserError(f"{path}: not a video that FFmpeg can read{place}: {_reason(error)}") from None
    if not frames:
        raise UserError(f"{path}: contains no frames")
    return np.stack(frames)


def _sampled(decoded: Iterator[Any], stream: Any, fps: float) -> Iterator[Any]:
    """The frame at each sampling time; None where it is the one before again."""
    rate = float(stream.average_rate or fps)
    shown: Any = None  # the frame that is on the screen
    begins, lasts, first, number, is_new = 0.0, 1 / rate, None, 0, False
    for index, frame in enumerate(decoded):
        time = index / rate if frame.time is None else frame.time
        first = time if first is None else first
        time = max(time - first, begins)  # times that go back are a fault of the file
        while shown is not None and number / fps < time - 1e-6:
            yield shown if is_new else None
            number, is_new = number + 1, False
        shown, begins, is_new = frame, time, True
        if frame.duration and frame.time_base:
            lasts = float(frame.duration * frame.time_base)
    while shown is not None and (number == 0 or number / fps < begins + lasts - 1e-6):
        yield shown if is_new else None
        number, is_new = number + 1, False


def _scaled(frame: Any, size: int) -> np.ndarray:
    """The frame as uint8 (size, size, 3), upright."""
    picture = frame.reformat(width=size, height=size, format="rgb24", interpolation="AREA").to_ndarray()
    turns = round(frame.rotation / 90) % 4  # phones store a picture as the sensor saw it
    return np.ascontiguousarray(np.rot90(picture, turns))


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0]
