"""Requests to the signature of a model of video, and the meaning of its answers. No TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.apps.video.cli import Answers
from rnnapps.cli import RunConfig
from rnnapps.cli.options import spelled
from rnnapps.datasets.clip_lists import clips_in
from rnnapps.datasets.sources import VideoSource
from rnnapps.datasets.video_files import read_clip
from rnnapps.errors import UserError
from rnnapps.options import changed
from rnnapps.prediction.drawn_files import check_on_screen, check_suffix
from rnnapps.prediction.nbest import best_classes, check_top

_SAMPLING = ("fps", "size", "max_frames")


def rows(arguments: Sequence[str], config: RunConfig | None, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row for each video file, and for each clip in a folder, as in training.

    Args:
        arguments: Paths.
        config: What the run was started with; None for an export or a server.
        about: What an export says about itself.
    """
    if not arguments:
        raise UserError("no input: name video files, folders of them, or folders of frames")
    for argument in arguments:
        path = Path(argument)
        found = [str(clip) for clip in clips_in(path) if clip is not None] if path.is_dir() else [argument]
        if not found:
            raise UserError(f"{path}: no videos or pictures in this folder")
        yield from ({"path": clip} for clip in found)


def informed(row: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the size and the number of the frames that the model takes."""
    return {**row, **{name: about[name] for name in _SAMPLING if name in about}}


def sampling(row: Mapping[str, Any], decoding: Answers) -> dict[str, Any]:
    """How a video is read, `fps`, `size` and `max_frames`: as the model says, or as requested, or the defaults."""
    default = VideoSource()
    asked = {
        "fps": decoding.fps or default.fps,
        "size": decoding.size or default.size,
        "max_frames": default.max_frames,
    }
    return {name: row.get(name, asked[name]) for name in _SAMPLING}


def request(row: Mapping[str, Any], decoding: Answers) -> dict[str, Any]:
    """The inputs of `serving_default`: the frames of a clip, and their number.

    Raises:
        UserError: The video cannot be read.
    """
    frames = read_clip(Path(row["path"]), **sampling(row, decoding))
    return {"frames": frames, "lengths": np.int32(len(frames))}


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: Answers) -> dict[str, Any]:
    """The sentence and its score; or the class, its probability, and the most probable classes with theirs."""
    if "caption" in outputs:
        refuse_for("captions", decoding)
        return {"answer": outputs["caption"].decode("utf-8", errors="replace"), "score": round(outputs["score"], 6)}
    refuse_for("actions", decoding)
    label, score, top = best_classes(outputs, about, decoding.top)
    return {"answer": label, "score": score, "top": top}


def refuse_for(kind: str, decoding: Answers) -> None:
    """Refuses options that only the other kind of model reads, "actions" or "captions"."""
    of_others = ("top",) if kind == "captions" else ("beam", "length_penalty", "longest")
    for name, value in changed(decoding, *of_others).items():
        raise UserError(f"{spelled(name)} {value}: the model answers with {kind}; leave it out")


def lines(number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Answers) -> Iterator[Sequence[str]]:
    """The file, and the sentence or the most probable classes with their probabilities."""
    if "top" not in answer:
        yield os.fspath(row["path"]), answer["answer"]
        return
    yield os.fspath(row["path"]), *(cell for label, score in answer["top"].items() for cell in (label, f"{score:.3f}"))


def check(decoding: Answers, asked: str, input: Path | None) -> None:
    """Refuses options of `predict` that do not go together."""
    check_top(decoding.top, asked, input)
    if asked != "server":
        for name in ("fps", "size"):
            if (value := getattr(decoding, name)) is not None:
                raise UserError(f"--{name} is for --server only, since the {asked} sets it; leave it out, got {value}")
    if decoding.plot is not None:
        check_suffix("--plot", decoding.plot)
        check_on_screen("--plot", asked, input)
