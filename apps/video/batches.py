"""From clips, in memory or on disk, to padded batches of frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.video.model import ActionClassifier, Captioner, VideoModel
from rnnapps.apps.video.words import framed
from rnnapps.datasets import Clips, DataError, bucket

_BUCKETS = 4  # padded lengths


class ClipBatches:
    """Batches of ((frames uint8 (batch, time, size, size, 3), lengths int32 (batch,)), targets).

    For captions the inputs are (frames, lengths, words). Words and targets are int32 (batch, T): words begin with
    START, targets end with END.

    Frames are read when a batch is made, so the clips of a data set need not fit into memory. Clips are padded with
    black frames to a few lengths; the lengths tell the model how many frames of each are real.

    Args:
        clips: The clips.
        targets: What is learnt for each clip: class numbers int64 (clips,), or ids of words as `framed` gives them.
        batch_size: Clips per batch.
        seed: Reshuffles each epoch; None keeps a fixed order.
    """

    def __init__(self, clips: Clips, targets: np.ndarray, batch_size: int, *, seed: int | None = None) -> None:
        self._clips = clips
        steps = [np.zeros(length, np.int8) for length in clips.lengths]  # only their lengths matter
        numbers = np.arange(len(clips), dtype=np.int32)
        columns = (steps, numbers, np.asarray(clips.lengths, np.int32), targets)
        self._batches = bucket(columns, batch_size=batch_size, boundaries=_BUCKETS, seed=seed)
        self.steps = self._batches.steps

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of an epoch; see `rnnapps.datasets.BucketedBatches.epoch`."""
        size = self._clips.size

        def prepared(steps: tf.Tensor, numbers: tf.Tensor, lengths: tf.Tensor, targets: tf.Tensor) -> Any:
            frames = tf.numpy_function(self._padded, (numbers, tf.shape(steps)[1]), tf.uint8, stateful=False)
            frames = tf.ensure_shape(frames, [None, None, size, size, 3])
            if targets.shape.rank == 1:
                return (frames, lengths), targets
            return (frames, lengths, targets[:, :-1]), targets[:, 1:]

        return self._batches.epoch(n).map(prepared, num_parallel_calls=2, deterministic=True).prefetch(2)

    def order(self) -> np.ndarray:
        """The order of the clips in epoch 0; see `rnnapps.datasets.BucketedBatches.order`."""
        return self._batches.order()

    def _padded(self, numbers: np.ndarray, time: np.ndarray) -> np.ndarray:
        frames = np.zeros((len(numbers), int(time), self._clips.size, self._clips.size, 3), np.uint8)
        for row, number in enumerate(numbers):
            clip = self._clips.frames[number]
            frames[row, : len(clip)] = clip
        return frames


def made_for(model: VideoModel, clips: Clips, batch_size: int, seed: int | None = None) -> ClipBatches:
    """Batches of what a model learns: the class numbers that it knows, or the ids of its words.

    Raises:
        DataError: The clips have no such targets, or a label that the model does not know.
    """
    if isinstance(model, Captioner):
        if clips.captions is None:
            raise DataError(f"{clips.name}: has labels, but the model writes captions")
        return ClipBatches(clips, framed(clips.captions, model.words), batch_size, seed=seed)
    assert isinstance(model, ActionClassifier)
    labels = clips.with_classes(model.classes).labels
    assert labels is not None
    return ClipBatches(clips, labels, batch_size, seed=seed)
