"""How good a model of chords is: nats per time step, accuracy, and whether the tunes that it writes keep a key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.music.batches import PieceBatches
from rnnapps.apps.music.cli import Evaluation
from rnnapps.apps.music.generation import generate
from rnnapps.apps.music.keys import key_name, key_of, share_in_key
from rnnapps.apps.music.losses import note_counts, step_nats
from rnnapps.apps.music.measuring import sums, write_texts
from rnnapps.apps.music.model import ChordModel
from rnnapps.apps.music.pictures import draw_roll
from rnnapps.apps.music.step_text import held_notes, steps_of
from rnnapps.datasets import Pieces
from rnnapps.datasets.pieces import TICKS


def assess(
    model: ChordModel,
    split: Pieces,
    batch_size: int,
    decoding: Evaluation | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Evaluates a model of chords.

    Args:
        model: The model.
        split: The pieces; the model is told their metre, if they have one, but not their key.
        batch_size: Pieces at a time.
        decoding: How many tunes to write.
        report: Folder for `tune.png`, the piano roll of one tune; None draws nothing.

    Returns:
        `nats`, the negative log-likelihood per time step, over all steps of all pieces together, including the first of
        each; `accuracy`, the share of correct notes among those that sound or are predicted, each given the earlier
        steps and the lower notes of its own step; the numbers of `steps` and `pieces`; and if tunes are written,
        `tunes`, `in_key`, the share of their notes in the requested key, that of a piece, and `in_key_of_pieces`, the
        same for the pieces, each in the key that fits it best.
    """
    decoding = decoding or Evaluation()
    figures = _score(model, split, batch_size)
    pieces = [[pitch for pitches in steps for pitch in pitches] for steps in split.steps()]
    fitting = [(pitches, key) for pitches in pieces if (key := key_of(pitches)) is not None]
    if decoding.tunes and fitting:
        keys = [fitting[number % len(fitting)][1] for number in range(decoding.tunes)]
        tunes = write_tunes(model, keys)
        written = [[pitch for pitches in steps for pitch in pitches] for steps in tunes]
        figures["tunes"] = len(tunes)
        figures["in_key"] = float(np.mean([share_in_key(*pair) for pair in zip(written, keys, strict=True)]))
        figures["in_key_of_pieces"] = float(np.mean([share_in_key(*pair) for pair in fitting]))
        if report is not None:
            ticks = round(model.step_quarters * TICKS)
            titled = [
                (f"requested: {key_name(key)}", held_notes(tune, ticks), len(tune) * ticks, 4 * TICKS)
                for key, tune in zip(keys[:2], tunes[:2], strict=True)
            ]
            draw_roll(titled, report / "tune.png")
    return figures


def _score(model: ChordModel, split: Pieces, batch_size: int) -> dict[str, Any]:
    def measure(inputs: dict[str, tf.Tensor], targets: tf.Tensor) -> list[tf.Tensor]:
        logits = model(inputs)
        nats, real = step_nats(targets, logits)
        return [tf.reduce_sum(nats), tf.reduce_sum(real), *note_counts(targets, logits)]

    batches = PieceBatches(model, split, batch_size)
    nats, steps, right, either = sums(measure, batches.epoch(0))
    return {
        "nats": float(nats / steps),
        "accuracy": float(right / max(either, 1.0)),
        "steps": int(steps),
        "pieces": len(batches.pieces),
    }


def write_tunes(model: ChordModel, keys: list[int]) -> list[list[tuple[int, ...]]]:
    """A tune of 16 bars of 4/4 in each key, as time steps."""
    texts = write_texts(lambda *told: generate(model, *told), [key_name(key) for key in keys], ["4/4"] * len(keys))
    return [steps_of(text) for text in texts]


def table(metrics: Mapping[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    rows = [
        f"nats per time step  {metrics['nats']:.3f}",
        f"accuracy            {metrics['accuracy']:.1%}",
        f"pieces              {metrics['pieces']:,}, {metrics['steps']:,} time steps",
    ]
    if "tunes" in metrics:
        of = f"{metrics['in_key']:.1%} of the notes of {metrics['tunes']} tunes"
        rows.append(f"in key              {of}; of the pieces {metrics['in_key_of_pieces']:.1%}")
    return "\n".join(rows)
