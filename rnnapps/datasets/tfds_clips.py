"""Clips of a named set, which TFDS prepares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import VideoSource
from rnnapps.datasets.tfds_builders import prepared, quiet
from rnnapps.datasets.video_clips import Clips

_FEATURES = {"frames", "label", "caption"}
_FPS = 8.0  # the clips have no speed of their own


def read_tfds_clips(source: VideoSource, splits: Sequence[str]) -> dict[str, Clips]:
    """Reads splits of a set whose features are `frames`, `label` and `caption`.

    Raises:
        DataError: There is no such set, it cannot be prepared, its features are others, or the source asks for frames
            of another size or number than it has.
    """
    name = source.dataset
    builder = prepared(name, source.data_dir, "clips", lambda builder: _check(builder, source))
    features = builder.info.features
    made = {}
    for split in splits:
        frames, labels, captions = [], [], []
        with quiet():  # TFDS warns of its own decoder
            examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
        for example in examples:
            grey = example["frames"][: source.max_frames, ..., None]
            frames.append(np.broadcast_to(grey, (*grey.shape[:3], 3)))  # one value for three colours, no copy
            labels.append(example["label"])
            captions.append(example["caption"])
        sentences = source.task == "captions"
        made[split] = Clips(
            frames,
            np.array([len(clip) for clip in frames], np.int32),
            None if sentences else np.array(labels, np.int64),
            () if sentences else tuple(features["label"].names),
            captions if sentences else None,
            tuple(f"{name} {split} {number}" for number in range(len(frames))),
            source.size,
            _FPS,
            name,
            split,
        )
    return made


def _check(builder: tfds.core.DatasetBuilder, source: VideoSource) -> None:
    name, features = source.dataset, dict(builder.info.features or {})
    if not set(features) >= _FEATURES:
        raise DataError(f"{name}: has the features {', '.join(sorted(features))}; save its videos as files instead")
    size = features["frames"].shape[1]
    if source.size != size:
        raise DataError(f"{name}: its frames need --size {size}, got {source.size}")
    if source.fps != _FPS:
        raise DataError(f"{name}: its frames have no times, so --fps must be {_FPS:g}, got {source.fps:g}")
