"""How good a model of video is: figures, tables and pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.video.batches import ClipBatches, made_for
from rnnapps.apps.video.cli import Answers
from rnnapps.apps.video.model import ActionClassifier, Captioner, VideoModel
from rnnapps.apps.video.requests import refuse_for
from rnnapps.apps.video.words import plain
from rnnapps.cli.confusion_table import confusion_table
from rnnapps.datasets import Clips
from rnnapps.text import PAD
from rnnapps.text.reference_scores import bleu
from rnnapps.training.classifier_figures import classifier_figures


def assess(
    model: VideoModel, split: Clips, batch_size: int, decoding: Answers, report: Path | None = None
) -> dict[str, Any]:
    """Evaluates a model.

    Args:
        model: The model.
        split: Clips with labels for a classifier, with captions for a captioner.
        batch_size: Clips per batch.
        decoding: How captions are found.
        report: Folder for `confusion_matrix.png` of a classifier; None draws nothing.

    Returns:
        `count`, `frames`, `frames_per_second` (of computing); for a classifier what `classifier_figures` gives; for a
        captioner `bleu`, `bleu_signature`, `exact_match`, the share of clips whose caption is one of theirs word for
        word, and `loss`, the cross-entropy in nats per word.

    Raises:
        DataError: The clips have no such targets, or a label that the model does not know.
    """
    batches = made_for(model, split, batch_size)
    if isinstance(model, Captioner):
        return _assess_captions(model, split, batches, decoding)
    assert isinstance(model, ActionClassifier)
    refuse_for("actions", decoding)
    return _assess_actions(model, split.with_classes(model.classes), batches, report)


def _assess_actions(model: ActionClassifier, split: Clips, batches: ClipBatches, report: Path | None) -> dict[str, Any]:
    assert split.labels is not None
    probabilities, computing = _answered(lambda *clips: model.probabilities(*clips)[0], batches)
    return {**classifier_figures(split.labels, probabilities, model.classes, report), **_size(split, computing)}


def _assess_captions(model: Captioner, split: Clips, batches: ClipBatches, how: Answers) -> dict[str, Any]:
    assert split.captions is not None
    written, computing = _answered(lambda frames, lengths: model.captions(frames, lengths, how)[0], batches)
    texts, captions = [text.decode(errors="replace") for text in written], plain(split.captions)
    of_clip: dict[str, list[str]] = {}  # a clip with several captions has several references
    for path, caption in zip(split.paths, captions, strict=True):
        of_clip.setdefault(path, []).append(caption)
    text_of = dict(zip(split.paths, texts, strict=True))
    score, signature = bleu(list(text_of.values()), [of_clip[path] for path in text_of], "video")
    return {
        "bleu": score,
        "bleu_signature": signature,
        "exact_match": float(np.mean([text in of_clip[path] for path, text in text_of.items()])),
        "loss": _word_loss(model, batches),
        **_size(split, computing),
    }


def _answered(answer: Callable[..., tf.Tensor], batches: ClipBatches) -> tuple[np.ndarray, float]:
    """The answers of a function of frames and lengths, in the order of the clips, and the seconds that it took."""
    watch = tf.function(answer, reduce_retracing=True, autograph=False)
    answers, computing = [], 0.0
    for (frames, lengths, *_), _ in batches.epoch(0):
        begin = time.perf_counter()
        answers.append(watch(frames, lengths).numpy())
        computing += time.perf_counter() - begin
    return np.concatenate(answers)[np.argsort(batches.order())], computing


def _word_loss(model: Captioner, batches: ClipBatches) -> float:
    """The mean cross-entropy over all words, in nats."""

    @tf.function(reduce_retracing=True, autograph=False)
    def cost(frames: tf.Tensor, lengths: tf.Tensor, words: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, model((frames, lengths, words)))
        return tf.reduce_sum(nats * tf.cast(targets != PAD, tf.float32))

    total = count = 0.0
    for inputs, targets in batches.epoch(0):
        total += float(cost(*inputs, targets))
        count += np.count_nonzero(targets)
    return total / count


def _size(split: Clips, computing: float) -> dict[str, Any]:
    frames = int(split.lengths.sum())
    return {"count": len(split), "frames": frames, "frames_per_second": frames / computing}


def table(metrics: dict[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    size = f"{metrics['count']:,}, {metrics['frames_per_second']:,.0f} frames a second"
    if "exact_match" in metrics:
        return "\n".join(
            [
                f"BLEU         {metrics['bleu']:.2f}   {metrics['bleu_signature']}",
                f"exact match  {metrics['exact_match']:.2%}",
                f"loss         {metrics['loss']:.4f}  (perplexity {np.exp(metrics['loss']):.2f})",
                f"captions     {size}",
            ]
        )
    lines = [
        f"accuracy    {metrics['accuracy']:.2%}",
        f"F1 (macro)  {metrics['f1']:.4f}",
        f"loss        {metrics['loss']:.4f}",
        f"clips       {size}",
        "",
        *confusion_table(metrics["classes"], metrics["confusion"]),
    ]
    return "\n".join(lines)
