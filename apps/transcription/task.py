"""Transcription: what its commands call. See `rnnapps.cli.task` for the contract."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click
import keras

from rnnapps.apps.transcription.cli import TASK, Options, Search
from rnnapps.apps.transcription.data import transcribed_batches, usable
from rnnapps.apps.transcription.model import SHAPING, Transcriber
from rnnapps.apps.transcription.pictures import draw
from rnnapps.apps.transcription.report import assess, error_rate, table
from rnnapps.apps.transcription.serving import about, endpoints, samples
from rnnapps.apps.transcription.streaming import follow
from rnnapps.apps.transcription.transcribing import listener
from rnnapps.cli import Objective, RunConfig
from rnnapps.cli.starting import model_to_start_from, take_over
from rnnapps.datasets import Transcripts, WaveformBatches, summary
from rnnapps.datasets import load_splits as load
from rnnapps.datasets.sources import TranscriptSource
from rnnapps.options import as_json
from rnnapps.text import Subwords, train_subwords

Model = Transcriber


def make(config: RunConfig, train: Transcripts) -> Transcriber:
    """A transcriber that knows the tokens of the training texts; the recordings determine how frames are normalised.

    If it starts from another model, it takes the tokens of that model, provided that they can spell the training texts.

    Raises:
        UserError: Packages for subwords are missing, or the model of `--start-from` has another shape.
    """
    source = config.source
    other = model_to_start_from(TASK, config, {"spoken_phrases": _phrases})
    normalisation = {name: getattr(source, name) for name in ("case", "punctuation", "digits", "language", "alphabet")}
    policy = keras.config.dtype_policy()
    try:
        # Layers keep the precision in which they are made; a loaded model answers in full precision.
        keras.config.set_dtype_policy(config.training.precision)
        model = Transcriber(
            **_tokens(config, train, other),
            normalisation=normalisation,
            sample_rate=train.sample_rate,
            **as_json(config.model),
        )
        model.adapt(transcribed_batches(train, config.training.batch_size))
    finally:
        keras.config.set_dtype_policy(policy)
    if other is not None:
        take_over(model, other, config)
        same = model.has_tokens_of(other)
        what = "all weights" if same else "convolutions and first recurrent layer (the tokens differ)"
        click.echo(f"starting from {config.training.start_from}: {what}")
    return model


def _phrases(config: RunConfig) -> RunConfig:
    """The run that `--start-from spoken_phrases` stands for."""
    same = {name: getattr(config.source, name) for name in ("sample_rate", "data_dir", "case", "punctuation")}
    options = replace(Options(), **{name: getattr(config.model, name) for name in SHAPING})
    return RunConfig(TranscriptSource("spoken_phrases", **same), options, TASK.training)


def _tokens(config: RunConfig, train: Transcripts, other: Transcriber | None) -> dict[str, Any]:
    """The arguments of `Transcriber` that name its tokens.

    Raises:
        UserError: Packages for subwords are missing, or the texts cannot be split into subwords.
    """
    characters = {character for text in train.texts for character in text.decode()}
    if other is not None and characters <= set(other.characters.pieces):
        return {"subwords": other.subwords} if other.subwords else {"alphabet": other.tokens.pieces}
    if config.model.tokens == "subwords":
        return {"subwords": Subwords(train_subwords(train.texts, config.model.vocabulary)).to_text()}
    return {"alphabet": sorted({" ", *characters})}


def batches(model: Transcriber, split: Transcripts, config: RunConfig, seed: int | None = None) -> WaveformBatches:
    """Batches of waveforms and texts, without those that the model cannot spell in the available steps."""
    kept, lines = usable(model, split, config.source.strict)
    for line in lines:
        click.echo(line)
    return transcribed_batches(kept, config.training.batch_size, seed=seed)


def objective(model: Transcriber, validation: Transcripts, config: RunConfig) -> Objective:
    """The model's own loss; the best epoch is the one with the lowest word error rate of the best paths."""
    listen = listener(model, Search(beam=1))

    def val_wer() -> float:
        return error_rate(listen, validation, config.training.batch_size)

    return Objective(monitor="val_wer", mode="min", figures={"val_wer": val_wer}, jit_compile=False)
