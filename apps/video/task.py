"""Video: what its commands call. See `rnnapps.cli.task` for the contract."""

from __future__ import annotations

import keras

from rnnapps.apps.video.batches import ClipBatches
from rnnapps.apps.video.model import ActionClassifier, VideoModel
from rnnapps.apps.video.report import assess, table
from rnnapps.apps.video.serving import about, endpoints, samples
from rnnapps.cli import Objective, RunConfig
from rnnapps.datasets import Clips, summary
from rnnapps.datasets import load_splits as load
from rnnapps.options import as_json

Model = VideoModel


def make(config: RunConfig, train: Clips) -> VideoModel:
    """A classifier of the training clips' classes."""
    sampling = {"size": train.size, "fps": train.fps, "max_frames": config.source.max_frames}
    model = ActionClassifier(train.classes, **sampling, **as_json(config.model))
    model.build()
    return model


def batches(model: VideoModel, split: Clips, config: RunConfig, seed: int | None = None) -> ClipBatches:
    """Batches of frames and class numbers."""
    assert split.labels is not None
    return ClipBatches(split, split.labels, config.training.batch_size, seed=seed)


def objective(model: VideoModel, validation: Clips, config: RunConfig) -> Objective:
    """Cross-entropy and accuracy; without XLA, whose convolutions on a CPU are slow."""
    return Objective(keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"], jit_compile=False)


__all__ = [
    "Model",
    "about",
    "assess",
    "batches",
    "endpoints",
    "load",
    "make",
    "objective",
    "samples",
    "summary",
    "table",
]
