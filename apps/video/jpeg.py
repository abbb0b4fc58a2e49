"""JPEG files to frames in the graph, one by one or one after the other (MJPEG)."""

from __future__ import annotations

import tensorflow as tf

from rnnapps.assertions import asserted

# The end of a picture and the beginning of the next. The end alone also ends the thumbnail in a camera's picture.
_BETWEEN = (0xFF, 0xD9, 0xFF, 0xD8, 0xFF)


def decoded_frames(files: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Frames of a model from JPEG files.

    Args:
        files: String (batch, time): the bytes of JPEG files, "" after the last frame of a clip.
        size: Height and width that frames are scaled to, by averaging over areas.

    Returns:
        Frames, uint8 (batch, time, size, size, 3), black where there is no file, and their number, int32 (batch,).

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs: a file is not a JPEG, or a clip has a gap.
    """
    is_there = tf.strings.length(files) > 0
    lengths = tf.math.count_nonzero(is_there, axis=1, dtype=tf.int32)
    together = tf.reduce_all(tf.equal(is_there, tf.sequence_mask(lengths, tf.shape(files)[1])))
    files = asserted(files, together, 'frames: "" may only follow the last frame of a clip')

    def decoded(file: tf.Tensor) -> tf.Tensor:
        picture = tf.io.decode_jpeg(file, channels=3)
        scaled = tf.image.resize(picture[None], [size, size], method="area")[0]
        return tf.cast(tf.round(scaled), tf.uint8)

    def frame(file: tf.Tensor) -> tf.Tensor:
        return tf.cond(tf.strings.length(file) > 0, lambda: decoded(file), lambda: tf.zeros([size, size, 3], tf.uint8))

    spec = tf.TensorSpec([size, size, 3], tf.uint8)
    frames = tf.map_fn(frame, tf.reshape(files, [-1]), fn_output_signature=spec)
    return tf.reshape(frames, tf.concat([tf.shape(files), [size, size, 3]], axis=0)), lengths


def split_mjpeg(videos: tf.Tensor) -> tf.Tensor:
    """The JPEG files of clips, string (batch, time), "" after the last, from string (batch,) with all of them joined.

    Raises:
        tf.errors.InvalidArgumentError: When the graph runs: a clip is empty.
    """
    filled = tf.reduce_all(tf.strings.length(videos) > 0)
    videos = asserted(videos, filled, "video: a clip needs at least one JPEG file, but one is empty")

    def files(video: tf.Tensor) -> tf.Tensor:
        values = tf.cast(tf.io.decode_raw(video, tf.uint8), tf.int32)
        count = tf.maximum(tf.size(values) - len(_BETWEEN) + 1, 0)
        found = tf.ones([count], tf.bool)
        for place, value in enumerate(_BETWEEN):
            found &= tf.equal(values[place : place + count], value)
        begins = tf.concat([[0], tf.cast(tf.where(found)[:, 0], tf.int32) + 2], axis=0)
        sizes = tf.concat([begins[1:], [tf.size(values)]], axis=0) - begins
        return tf.strings.substr(tf.fill([tf.size(begins)], video), begins, sizes)

    found = tf.map_fn(files, videos, fn_output_signature=tf.RaggedTensorSpec([None], tf.string, ragged_rank=0))
    return found.to_tensor(default_value="")
