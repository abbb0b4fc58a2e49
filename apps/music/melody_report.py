"""How good a model of melodies is: nats per token, accuracy, and whether its tunes keep a key and a metre."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.music.cli import Evaluation
from rnnapps.apps.music.keys import key_name, share_in_key
from rnnapps.apps.music.losses import token_nats
from rnnapps.apps.music.measuring import sums, write_texts
from rnnapps.apps.music.melody_batches import Melody, MelodyBatches, melodies_of
from rnnapps.apps.music.melody_generation import generate
from rnnapps.apps.music.melody_model import MelodyModel
from rnnapps.apps.music.melody_tokens import (
    DEFAULT_METRE,
    FIRST_LENGTH,
    FIRST_PITCH,
    Note,
    notes_of,
    parsed,
    share_of_full_bars,
)
from rnnapps.apps.music.pictures import draw_roll
from rnnapps.datasets import Pieces
from rnnapps.datasets.pieces import bar_length


def assess(
    model: MelodyModel,
    split: Pieces,
    batch_size: int,
    decoding: Evaluation | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Evaluates a model of melodies.

    Args:
        model: The model.
        split: The pieces; the model is told the metre of each, if it has one, but not its key.
        batch_size: Melodies at a time.
        decoding: How many tunes to write.
        report: Folder for `tune.png`, the piano rolls of two tunes; None draws nothing.

    Returns:
        `nats`, the negative log-likelihood per token, including bar lines and the end; `nats_per_note`, the same sum
        over the number of notes; `accuracy`, the share of tokens that the model finds most probable; the numbers of
        `tokens`, `notes` and `pieces`; and if tunes are written, each in key and metre of one of the pieces, `tunes`,
        `in_key`, the share of their notes in the requested key, `in_key_of_pieces`, the same for the pieces, each in
        the key that fits it best, `full_bars`, the share of their bars that add up, and `full_bars_unaided`, the same
        when the model may end a bar at any note.
    """
    decoding = decoding or Evaluation()
    melodies = melodies_of(split)
    figures = _score(model, melodies, batch_size)
    if not decoding.tunes:
        return figures
    asked = [melodies[number % len(melodies)] for number in range(decoding.tunes)]
    metres = [melody.metre or DEFAULT_METRE for melody in asked]
    tunes = write_tunes(model, asked, metres)
    figures["tunes"] = len(tunes)
    figures["in_key"] = _share_in_keys([notes for notes, _ in tunes], asked)
    figures["in_key_of_pieces"] = _share_in_keys([notes_of(melody.tokens)[0] for melody in melodies], melodies)
    figures["full_bars"] = _share_of_bars(tunes, metres)
    figures["full_bars_unaided"] = _share_of_bars(write_tunes(model, asked, metres, counted=False), metres)
    if report is not None:
        titled = [
            (f"requested: {key_name(melody.key or 0)}, {metre}", notes, sum(bars), bar_length(metre))
            for melody, metre, (notes, bars) in zip(asked[:2], metres, tunes, strict=False)
        ]
        draw_roll(titled, report / "tune.png")
    return figures


def _score(model: MelodyModel, melodies: list[Melody], batch_size: int) -> dict[str, Any]:
    def measure(tokens: tf.Tensor, targets: tf.Tensor) -> list[tf.Tensor]:
        logits = model(tokens)
        nats, real = token_nats(targets, logits)
        right = tf.cast(tf.argmax(logits, axis=-1, output_type=tf.int32) == targets, tf.float32)
        notes = tf.math.count_nonzero((targets >= FIRST_PITCH) & (targets < FIRST_LENGTH), dtype=tf.float32)
        return [tf.reduce_sum(nats), tf.reduce_sum(real), tf.reduce_sum(right * real), notes]

    batches = MelodyBatches(model, melodies, batch_size)
    nats, tokens, right, notes = sums(measure, batches.epoch(0))
    return {
        "nats": float(nats / tokens),
        "nats_per_note": float(nats / notes),
        "accuracy": float(right / tokens),
        "tokens": int(tokens),
        "notes": int(notes),
        "pieces": len(melodies),
    }


def write_tunes(
    model: MelodyModel, like: list[Melody], metres: list[str], counted: bool = True
) -> list[tuple[list[Note], list[int]]]:
    """A tune of 16 bars in the key of each melody and in each metre: its notes and bar lengths, in ticks."""
    keys = ["" if melody.key is None else key_name(melody.key) for melody in like]
    texts = write_texts(partial(generate, model, counted=counted), keys, metres)
    return [notes_of(parsed(text)) for text in texts]


def _share_in_keys(tunes: list[list[Note]], like: list[Melody]) -> float:
    pitches = [[pitch for _, _, pitch in notes] for notes in tunes]
    return float(np.mean([share_in_key(tune, melody.key or 0) for tune, melody in zip(pitches, like, strict=True)]))


def _share_of_bars(tunes: list[tuple[list[Note], list[int]]], metres: list[str]) -> float:
    shares = [share_of_full_bars(bars, bar_length(metre)) for (_, bars), metre in zip(tunes, metres, strict=True)]
    return float(np.mean(shares))


def table(metrics: Mapping[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    rows = [
        f"nats per token  {metrics['nats']:.3f}",
        f"nats per note   {metrics['nats_per_note']:.3f}",
        f"accuracy        {metrics['accuracy']:.1%} of the tokens",
        f"pieces          {metrics['pieces']:,}, {metrics['notes']:,} notes, {metrics['tokens']:,} tokens",
    ]
    if "tunes" in metrics:
        of = f"{metrics['in_key']:.1%} of the notes of {metrics['tunes']} tunes"
        rows.append(f"in key          {of}; of the pieces {metrics['in_key_of_pieces']:.1%}")
        unaided = f"{metrics['full_bars_unaided']:.1%} when the model itself decides where bars end"
        rows.append(f"full bars       {metrics['full_bars']:.1%}; {unaided}")
    return "\n".join(rows)
