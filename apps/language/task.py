"""Language models: what their commands call. See `rnnapps.cli.task` for the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from rnnapps.apps.language.cli import Generation
from rnnapps.apps.language.completing import complete_text
from rnnapps.apps.language.generation import stream as stream_text
from rnnapps.apps.language.measuring import score_text
from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.report import assess, table
from rnnapps.apps.language.samples import SampleTexts
from rnnapps.apps.language.serving import about, endpoints, samples
from rnnapps.apps.language.streams import Streams
from rnnapps.apps.language.token_file import tokenized
from rnnapps.apps.language.tokens import PAD, learn
from rnnapps.cli import Objective, RunConfig
from rnnapps.cli.output import say
from rnnapps.datasets import Corpus, summary
from rnnapps.datasets import load_splits as load
from rnnapps.options import as_json
from rnnapps.run_folder import RunFolder

Model = LanguageModel


def make(config: RunConfig, train: Corpus) -> LanguageModel:
    """A model of the characters, words or subwords of the training text."""
    options = config.model
    vocabulary = learn(options.level, train, config.training.vocabulary, options.normalised)
    model = LanguageModel(vocabulary, **as_json(options))
    model.carry(config.training.batch_size)
    model.build()
    say(f"vocabulary: {model.tokens.size:,} tokens; weights: {model.count_params():,}")
    return model


def batches(model: LanguageModel, split: Corpus, config: RunConfig, seed: int | None = None) -> Streams:
    """Parallel streams of the text; fewer for validation, so that little of it lacks context."""
    how = config.training
    ids = tokenized(model.tokens, split).ids
    if seed is None:
        return Streams.held_out(ids, how.batch_size, how.sequence_length)
    return Streams(ids, how.batch_size, how.sequence_length, seed=seed, random_length=how.random_length)


def objective(model: LanguageModel, validation: Corpus, config: RunConfig) -> Objective:
    """The model's own loss, in nats per token."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD)  # for the gradient flow
    return Objective(loss, jit_compile=False)


def callbacks(model: LanguageModel, config: RunConfig, run: RunFolder) -> list[keras.callbacks.Callback]:
    """Samples after each epoch."""
    return [SampleTexts(run.report / "samples.txt", config.source.seed)]


def stream(model: LanguageModel, row: dict[str, Any], decoding: Generation) -> Iterator[str]:
    """What `predict` shows in a terminal while the text is being written."""
    for sample in range(decoding.samples):
        yield row["prompt"] if not sample else f"\n--------\n{row['prompt']}"
        yield from stream_text(model, row["prompt"], decoding, sample)


__all__ = [
    "Model",
    "about",
    "assess",
    "batches",
    "callbacks",
    "complete_text",
    "endpoints",
    "load",
    "make",
    "objective",
    "samples",
    "score_text",
    "stream",
    "summary",
    "table",
]
