"""Music: what its commands call. See `rnnapps.cli.task` for the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps.apps.music.batches import PieceBatches, note_frequencies
from rnnapps.apps.music.cli import Generation
from rnnapps.apps.music.keys import parsed_key
from rnnapps.apps.music.losses import MeanNats, NoteAccuracy, StepNats
from rnnapps.apps.music.model import ChordModel
from rnnapps.apps.music.pictures import draw_roll
from rnnapps.apps.music.report import assess, table
from rnnapps.apps.music.serving import about, endpoints, samples
from rnnapps.apps.music.sounding import write_abc, write_midi, write_wav
from rnnapps.apps.music.step_text import steps_of
from rnnapps.cli import Objective, RunConfig
from rnnapps.cli.output import say
from rnnapps.datasets import DataError, Pieces, summary
from rnnapps.datasets import load_splits as load
from rnnapps.datasets.pieces import TICKS, bar_length
from rnnapps.options import as_json

Model = ChordModel
_METRES = 8  # time signatures that are learnt, the most frequent ones


def make(config: RunConfig, train: Pieces) -> ChordModel:
    """A model for as many notes at once, and for the metres, that the training pieces have."""
    voices = max((len(step) for steps in train.steps() for step in steps), default=0)
    if not voices:
        raise DataError(f"{train.name}: there are no notes in the training pieces")
    ticks = round(train.step * TICKS)
    counts = Counter(piece.metre for piece in train.pieces if piece.metre and not bar_length(piece.metre) % ticks)
    metres = sorted(metre for metre, _ in counts.most_common(_METRES))
    model = ChordModel(train.step, voices, metres, **as_json(config.model))
    model.build()
    model.distribution.start_from(note_frequencies(train))
    say(f"metres: {', '.join(metres) or 'unknown'}; notes at once: {voices}; weights: {model.count_params():,}")
    return model


def batches(model: ChordModel, split: Pieces, config: RunConfig, seed: int | None = None) -> PieceBatches:
    """Whole pieces, transposed at random to train on."""
    how = config.training
    return PieceBatches(model, split, how.batch_size, seed, how.transpose if seed is not None else 0)


def objective(model: ChordModel, validation: Pieces, config: RunConfig) -> Objective:
    """Nats a time step."""
    return Objective(StepNats(), [MeanNats(), NoteAccuracy()], monitor="val_nats", jit_compile=False)


def draw(model: ChordModel, answered: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], how: Generation) -> None:
    """Writes the first tune, with its prime, to the files that were asked for."""
    for row, answer in answered[:1]:
        prime, steps = steps_of(row["prime"]), steps_of(f"{row['prime']} {answer['notes']}")
        quarters, key = model.step_quarters, parsed_key(how.key) if how.key else None
        if how.midi is not None:
            write_midi(steps, quarters, how.metre, how.tempo, how.midi)
        if how.abc is not None:
            write_abc(steps, quarters, how.metre, key, how.tempo, how.abc)
        if how.wav is not None:
            write_wav(steps, quarters, how.tempo, how.wav)
        if how.plot is not None:
            title = f"{key or 'a tune'}, {how.metre}"
            draw_roll([(title, steps)], how.plot, max(1, model.steps_of_bar(how.metre)), len(prime))
        for path in (how.midi, how.abc, how.wav, how.plot):
            if isinstance(path, Path):
                say(f"wrote {path}", err=True)


__all__ = [
    "Model",
    "about",
    "assess",
    "batches",
    "draw",
    "endpoints",
    "load",
    "make",
    "objective",
    "samples",
    "summary",
    "table",
]
