"""Short films of a bright square on a dark ground, written by PyAV, for tests."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

WAYS = ("left", "right", "still")


def square(way: str, frames: int, random: np.random.Generator, width: int = 64, height: int = 48) -> np.ndarray:
    """Frames of a square that goes its way, uint8 (frames, height, width, 3)."""
    pictures = random.integers(0, 40, (frames, height, width, 3), dtype=np.uint8)
    top = int(random.integers(4, height - 20))
    along = np.linspace(0, 1, frames) if way == "right" else np.linspace(1, 0, frames)
    if way == "still":
        along = np.full(frames, random.uniform(0.2, 0.8))
    for picture, place in zip(pictures, along, strict=True):
        left = round((width - 16) * place)
        picture[top : top + 16, left : left + 16] = 230
    return pictures


def write_film(path: Path, pictures: np.ndarray, rate: int = 16, times: list[float] | None = None) -> Path:
    """Writes a video; `times` in seconds make its frame rate vary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1" if path.suffix == ".mkv" else "mpeg4", rate=rate)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "bgr0" if path.suffix == ".mkv" else "yuv420p"
        if path.suffix != ".mkv":
            stream.bit_rate = 2_000_000
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = round(times[number] * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
