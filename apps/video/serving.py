"""The signatures of an exported model of video: frames, JPEG files or MJPEG in, answers out."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps import serving
from rnnapps.apps.video.cli import Answers
from rnnapps.apps.video.jpeg import decoded_frames, split_mjpeg
from rnnapps.apps.video.model import ActionClassifier, Captioner, VideoModel
from rnnapps.assertions import asserted
from rnnapps.datasets import Clips

_CHUNK = 16  # clips at a time
_SAMPLES = 8  # clips of the test split in an export


def answers(model: VideoModel, frames: tf.Tensor, lengths: tf.Tensor, how: Answers) -> dict[str, tf.Tensor]:
    """The answers of the signatures.

    Args:
        model: The model.
        frames: uint8 (batch, time, size, size, 3).
        lengths: Int32 (batch,), the real frames of each clip, at least 1.
        how: How captions are found.

    Returns:
        For a captioner, `caption`: string (batch,), and `score`: float32 (batch,), its log-probability over the length
        penalty. For a classifier, the outputs of `serving.labelled`.
    """
    time = tf.shape(frames)[1]
    valid = tf.reduce_all((lengths >= 1) & (lengths <= time))
    frames = asserted(frames, valid, "frames: a clip has from 1 to", time, "frames, but lengths are", lengths)
    if isinstance(model, Captioner):
        caption, score = model.captions(frames, lengths, how)
        return {"caption": caption, "score": score}
    assert isinstance(model, ActionClassifier)
    probabilities, _ = model.probabilities(frames, lengths)
    return serving.labelled(model.classes, probabilities)


def endpoints(model: VideoModel, decoding: Answers | None = None) -> dict[str, serving.Endpoint]:
    """The signatures.

    - `serving_default`: `frames` uint8 (batch, time, size, size, 3), at the model's frames per second, and `lengths`
      int32 (batch,), how many of them are real.
    - `jpeg`: `frames` string (batch, time), the bytes of JPEG files of any size; "" after the last frame of a clip.
    - `mjpeg`: `video` string (batch,), the JPEG files of a clip one after the other.
    """
    size, how = model.size, decoding or Answers()
    specs = [
        tf.TensorSpec([None, None, size, size, 3], tf.uint8, name="frames"),
        tf.TensorSpec([None], tf.int32, name="lengths"),
    ]
    # One function for all signatures: a server loads a third as much before it answers.
    of_frames = tf.function(
        lambda frames, lengths: answers(model, frames, lengths, how), autograph=False
    ).get_concrete_function(*specs)

    def of_jpegs(files: tf.Tensor) -> dict[str, tf.Tensor]:
        return of_frames(*decoded_frames(files, size))

    return {
        "serving_default": serving.Endpoint(serving.in_chunks(of_frames, _CHUNK), specs),
        "jpeg": serving.Endpoint(
            serving.in_chunks(of_jpegs, _CHUNK), [tf.TensorSpec([None, None], tf.string, name="frames")]
        ),
        "mjpeg": serving.Endpoint(
            serving.in_chunks(lambda video: of_jpegs(split_mjpeg(video)), _CHUNK),
            [tf.TensorSpec([None], tf.string, name="video")],
        ),
    }


def samples(model: VideoModel, split: Clips | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export: clips of a split, and made-up ones of 1 and 40 frames."""
    random = np.random.default_rng(0)
    clips = [random.integers(0, 256, (length, model.size, model.size, 3), dtype=np.uint8) for length in (1, 40)]
    if split is not None:
        clips += [np.asarray(split.frames[number]) for number in range(min(_SAMPLES, len(split)))]
    lengths = np.array([len(clip) for clip in clips], np.int32)
    frames = np.zeros((len(clips), lengths.max(), *clips[0].shape[1:]), np.uint8)
    files = np.full(frames.shape[:2], b"", object)
    for row, clip in enumerate(clips):
        frames[row, : len(clip)] = clip
        files[row, : len(clip)] = [tf.io.encode_jpeg(frame, quality=95).numpy() for frame in clip]
    return {
        "serving_default": [{"frames": frames, "lengths": lengths}],
        "jpeg": [{"frames": files.tolist()}],
        "mjpeg": [{"video": [b"".join(row) for row in files]}],
    }


def about(model: VideoModel) -> dict[str, Any]:
    """What an export says about the model: the frames that it takes, and classes in the order of `probabilities`."""
    classes = {"classes": list(model.classes)} if isinstance(model, ActionClassifier) else {}
    return {**classes, "size": model.size, "fps": model.fps, "max_frames": model.max_frames}
