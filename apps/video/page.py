"""The page of `rnn-video try`: a video, what happens in it, the frames that the model saw, and where it looked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.apps.video.requests import informed, request, sampling
from rnnapps.cli.questions import Questions
from rnnapps.errors import UserError
from rnnapps.pages import FileInput, Page, Part, Picture, Probabilities, TextOutput, VideoOutput
from rnnapps.pages.class_names import named

_SHOWN_SIZE = 320  # minimum size in pixels of the smaller side of the video on the page


def page(questions: Questions) -> Page:
    """A video in; the sentence or the probabilities of the classes out, the frames as a video, and the attention."""

    def answer(video: str | None) -> Mapping[str, Any]:
        if video is None:
            raise UserError("drop in a video first")
        row = informed({"path": video}, questions.about)
        frames = request(row, questions.decoding)["frames"]
        outputs = questions.outputs(
            "serving_default", {"frames": frames[None], "lengths": np.array([len(frames)], np.int32)}
        )
        captioned = "caption" in outputs
        said = outputs["caption" if captioned else "label"][0].decode("utf-8", errors="replace")
        fps = sampling(row, questions.decoding)["fps"]
        found: dict[str, Any] = {"answer": said, "seen": partial(_film, frames, fps)}
        if not captioned:
            found["probabilities"] = named(outputs["probabilities"][0].tolist(), questions.about.get("classes"), said)
        if questions.model is not None:
            found["attention"] = partial(_draw, questions.model, Path(video).name, frames, said)
        return found

    part = Part(
        title="Video",
        inputs=[FileInput("video", "Video")],
        outputs=[
            TextOutput("answer", "Answer"),
            Probabilities("probabilities", "Classes"),
            VideoOutput("seen", "What the model saw"),
            Picture("attention", "Frames, and where the model looked"),
        ],
        answer=answer,
        button="Watch",
    )
    return Page("Video", "Drop in a video, and see what the model says about it.", [part])


def _film(frames: np.ndarray, fps: float, path: Path) -> None:
    """Writes frames, uint8 (time, height, width, 3), as an MP4 that browsers play, in whole multiples of their size."""
    import av

    height, width = frames.shape[1:3]
    larger = 2 * max(1, round(_SHOWN_SIZE / min(height, width) / 2))  # even, as the encoder requires
    with av.open(str(path), "w") as film:
        stream = film.add_stream("libx264", rate=max(round(fps), 1))
        stream.height, stream.width, stream.pix_fmt = height * larger, width * larger, "yuv420p"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame.repeat(larger, 0).repeat(larger, 1), format="rgb24")
            film.mux(stream.encode(picture))
        film.mux(stream.encode())


def _draw(model: Any, name: str, frames: np.ndarray, answer: str, path: Path) -> None:
    from rnnapps.apps.video.pictures import draw_panels, panel

    draw_panels([panel(model, f"{name}: {answer}", frames, answer)], path)
