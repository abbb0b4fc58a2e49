"""Video: what its commands call. See `rnnapps.cli.task` for the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from rnnapps.apps.video.backbone import load_backbone
from rnnapps.apps.video.batches import ClipBatches, made_for
from rnnapps.apps.video.cli import Answers
from rnnapps.apps.video.model import ActionClassifier, Captioner, VideoModel
from rnnapps.apps.video.pictures import draw_panels, panel
from rnnapps.apps.video.report import assess, table
from rnnapps.apps.video.serving import about, answers, endpoints, samples
from rnnapps.apps.video.words import plain, words_of
from rnnapps.cli import Objective, RunConfig
from rnnapps.cli.options import spelled
from rnnapps.cli.output import say
from rnnapps.datasets import Clips, summary
from rnnapps.datasets import load_splits as load
from rnnapps.datasets.video_files import read_clip
from rnnapps.errors import UserError
from rnnapps.options import as_json, changed
from rnnapps.text import PAD

Model = VideoModel
_DRAWN = 4  # clips in a picture


def make(config: RunConfig, train: Clips) -> VideoModel:
    """A classifier of the training clips' classes, or a captioner that knows their words."""
    sampling = {"size": train.size, "fps": train.fps, "max_frames": config.source.max_frames}
    options = {**sampling, **as_json(config.model)}
    if config.model.backbone != "none":
        options["backbone_model"] = load_backbone(Path(config.model.backbone))
    model: VideoModel
    if train.captions is None:
        of_captions = {**changed(config.training, "vocabulary"), **changed(config.model, "embedding_units")}
        for name, value in of_captions.items():
            raise UserError(f"{spelled(name)} {value} is for captions, but the data have actions; leave it out")
        model = ActionClassifier(train.classes, **options)
    else:
        model = Captioner(words_of(train.captions, config.training.vocabulary), **options)
        say(f"words: {len(model.words):,}")
    model.build()
    return model


def batches(model: VideoModel, split: Clips, config: RunConfig, seed: int | None = None) -> ClipBatches:
    """Batches of frames and class numbers, or of frames and words."""
    return made_for(model, split, config.training.batch_size, seed)


def objective(model: VideoModel, validation: Clips, config: RunConfig) -> Objective:
    """Cross-entropy, of classes or of words; without XLA, whose convolutions on a CPU are slow."""
    if isinstance(model, Captioner):
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD)
        return Objective(loss, jit_compile=False)
    return Objective(keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"], jit_compile=False)


def finish(model: VideoModel, splits: Mapping[str, Clips], config: RunConfig, report: Path) -> None:
    """Draws where the attention was in a few validation clips."""
    clips, panels = splits["validation"], []
    for number in np.sort(np.unique(clips.paths, return_index=True)[1])[:_DRAWN]:  # a clip may have several captions
        frames = np.asarray(clips.frames[number])
        found = answers(model, tf.constant(frames[None]), tf.constant([len(frames)]), Answers())
        answer = found["caption" if isinstance(model, Captioner) else "label"].numpy()[0].decode()
        truth = _truth(clips, number)
        judged = f"{answer} (right)" if answer == truth else f"{answer} (in the data: {truth})"
        panels.append(panel(model, f"{'/'.join(Path(clips.paths[number]).parts[-2:])}: {judged}", frames, answer))
    draw_panels(panels, report / "attention.png")


def _truth(clips: Clips, number: int) -> str:
    """The class or sentence of a clip in the data."""
    if clips.labels is not None:
        return clips.classes[clips.labels[number]]
    assert clips.captions is not None
    return plain([clips.captions[number]])[0]


def draw(model: VideoModel, answered: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], how: Answers) -> None:
    """`predict --plot`: draws the first clips, and where the attention was."""
    if how.plot is None:
        return
    panels = []
    for row, answer in answered[:_DRAWN]:
        path = Path(row["path"])
        frames = read_clip(path, model.fps, model.size, model.max_frames)
        panels.append(panel(model, f"{path.name}: {answer['answer']}", frames, answer["answer"]))
    draw_panels(panels, how.plot)
    say(f"wrote {how.plot}", err=True)


__all__ = [
    "Model",
    "about",
    "assess",
    "batches",
    "draw",
    "endpoints",
    "finish",
    "load",
    "make",
    "objective",
    "samples",
    "summary",
    "table",
]
