"""Music: what its commands call. See `rnnapps.cli.task` for the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps import serving
from rnnapps.apps.music import melody_report, melody_serving, report
from rnnapps.apps.music import serving as chord_serving
from rnnapps.apps.music.batches import PieceBatches, note_frequencies
from rnnapps.apps.music.cli import Evaluation, Generation
from rnnapps.apps.music.losses import MeanNats, MeanTokenNats, NoteAccuracy, StepNats, TokenAccuracy, TokenNats
from rnnapps.apps.music.melody_batches import MelodyBatches, melodies_of
from rnnapps.apps.music.melody_model import MelodyModel
from rnnapps.apps.music.melody_tokens import FIRST_KEY, FIRST_LENGTH, LENGTHS
from rnnapps.apps.music.model import ChordModel
from rnnapps.apps.music.tune_files import write_files
from rnnapps.cli import Objective, RunConfig
from rnnapps.cli.output import say
from rnnapps.datasets import DataError, Pieces, summary
from rnnapps.datasets import load_splits as load
from rnnapps.datasets.pieces import TICKS, bar_length
from rnnapps.options import as_json

Model = (ChordModel, MelodyModel)
_METRES = 8  # number of time signatures to learn, the most frequent ones


def make(config: RunConfig, train: Pieces) -> ChordModel | MelodyModel:
    """A model of the requested representation, for the training pieces."""
    return _make_melodies(config, train) if config.model.representation == "melody" else _make_chords(config, train)


def _make_chords(config: RunConfig, train: Pieces) -> ChordModel:
    """A model for the metres of the training pieces and as many notes at once as they have."""
    voices = max((len(step) for steps in train.steps() for step in steps), default=0)
    if not voices:
        raise DataError(f"{train.name}: there are no notes in the training pieces")
    metres = _frequent_metres(train, round(train.step * TICKS))
    model = ChordModel(train.step, voices, metres, **as_json(config.model))
    model.build()
    model.distribution.start_from(note_frequencies(train))
    say(f"metres: {', '.join(metres) or 'unknown'}; notes at once: {voices}; weights: {model.count_params():,}")
    return model


def _make_melodies(config: RunConfig, train: Pieces) -> MelodyModel:
    """A model for the metres and note lengths of the training melodies."""
    found = {int(token) for melody in melodies_of(train) for token in melody.tokens}
    lengths = [length for number, length in enumerate(LENGTHS, FIRST_LENGTH) if number in found and number < FIRST_KEY]
    metres = _frequent_metres(train, 1)
    model = MelodyModel(metres, lengths, **as_json(config.model))
    model.build()
    say(f"metres: {', '.join(metres) or 'unknown'}; lengths: {len(lengths)}; weights: {model.count_params():,}")
    return model


def _frequent_metres(train: Pieces, ticks: int) -> list[str]:
    """The time signatures to learn, among those whose bars are a whole number of some ticks."""
    counts = Counter(piece.metre for piece in train.pieces if piece.metre and not bar_length(piece.metre) % ticks)
    return sorted(metre for metre, _ in counts.most_common(_METRES))


def batches(
    model: ChordModel | MelodyModel, split: Pieces, config: RunConfig, seed: int | None = None
) -> PieceBatches | MelodyBatches:
    """Whole pieces, transposed at random for training."""
    how = config.training
    transpose = how.transpose if seed is not None else 0
    if isinstance(model, MelodyModel):
        return MelodyBatches(model, melodies_of(split), how.batch_size, seed, transpose)
    return PieceBatches(model, split, how.batch_size, seed, transpose)


def objective(model: ChordModel | MelodyModel, validation: Pieces, config: RunConfig) -> Objective:
    """Nats per time step or per token."""
    if isinstance(model, MelodyModel):
        return Objective(TokenNats(), [MeanTokenNats(), TokenAccuracy()], monitor="val_nats", jit_compile=False)
    return Objective(StepNats(), [MeanNats(), NoteAccuracy()], monitor="val_nats", jit_compile=False)


def assess(
    model: ChordModel | MelodyModel,
    split: Pieces,
    batch_size: int,
    decoding: Evaluation | None = None,
    pictures: Path | None = None,
) -> dict[str, Any]:
    """The figures of `rnnapps.apps.music.report` or `rnnapps.apps.music.melody_report`."""
    if isinstance(model, MelodyModel):
        return melody_report.assess(model, split, batch_size, decoding, pictures)
    return report.assess(model, split, batch_size, decoding, pictures)


def table(metrics: Mapping[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    return melody_report.table(metrics) if "nats_per_note" in metrics else report.table(metrics)


def about(model: ChordModel | MelodyModel) -> dict[str, Any]:
    """What an export says about the model."""
    return melody_serving.about(model) if isinstance(model, MelodyModel) else chord_serving.about(model)


def endpoints(model: ChordModel | MelodyModel, decoding: Generation | None = None) -> dict[str, serving.Endpoint]:
    """The signatures of an export, with the same names and inputs for chords and melodies."""
    return melody_serving.endpoints(model) if isinstance(model, MelodyModel) else chord_serving.endpoints(model)


def samples(model: ChordModel | MelodyModel, split: Pieces | None) -> dict[str, list[dict[str, Any]]]:
    """Requests for the check and the warm-up of an export."""
    if isinstance(model, MelodyModel):
        return melody_serving.samples(model, split)
    return chord_serving.samples(model, split)


def draw(
    model: ChordModel | MelodyModel, answered: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], how: Generation
) -> None:
    """Writes the first tune, with its prime, to the requested files."""
    for row, answer in answered[:1]:
        step = model.step_quarters if isinstance(model, ChordModel) else None
        for path in write_files(row, answer["notes"], how, step):
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
