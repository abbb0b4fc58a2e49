"""From recordings and their texts to batches of waveforms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from rnnapps.apps.transcription.model import Transcriber
from rnnapps.datasets import DataError, Rejected, Transcripts, WaveformBatches
from rnnapps.datasets.rejected import skipped
from rnnapps.training import needed_steps

_BUCKETS = 12  # padded lengths


def transcribed_batches(split: Transcripts, batch_size: int, *, seed: int | None = None) -> WaveformBatches:
    """Batches of waveforms and texts; see `WaveformBatches`."""
    return WaveformBatches(split.waveforms, tf.constant(split.texts), batch_size, buckets=_BUCKETS, seed=seed)


def usable(model: Transcriber, split: Transcripts, strict: bool) -> tuple[Transcripts, Iterator[str]]:
    """The recordings that the model can learn from, and lines that name the others.

    CTC needs a step for each token and one more between equal tokens. The model knows the characters of the training
    texts only.

    Raises:
        DataError: With `strict`, there is a recording that it cannot learn from; or there is none that it can.
    """
    known = set(model.tokens.pieces)
    labels = model.tokens.encode(tf.constant(split.texts)).to_tensor(-1)
    kept, bad = [], []
    for place, (text, needed) in enumerate(zip(split.texts, needed_steps(labels).numpy().tolist(), strict=True)):
        steps = len(split.waveforms[place]) // model.step_samples
        unknown = sorted(set(text.decode()) - known)
        if unknown:
            where = "subword" if model.subwords else "training text"
            reason = f"character {unknown[0]!r} is not in any {where}"
        elif needed > steps:
            reason = f"the text is longer than the audio allows: it needs {needed} steps, got {steps}"
        else:
            kept.append(place)
            continue
        bad.append(Rejected(None, reason, Path(split.paths[place])))
    if bad and (strict or not kept):
        raise DataError(str(bad[0]))
    of = f"of the {split.split} split"
    return split.only(kept), skipped(bad, f"recording {of}", f"recordings {of}")
