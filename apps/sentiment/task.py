"""Sentiment analysis: what its commands call. See `rnnapps.cli.task` for the contract."""

import keras

from rnnapps.apps.sentiment.data import batches as token_batches
from rnnapps.apps.sentiment.model import SentimentClassifier, bins_for
from rnnapps.apps.sentiment.pretrained import layer_rates as pretrained_rates
from rnnapps.apps.sentiment.pretrained import start_from_language_model, start_from_vectors
from rnnapps.apps.sentiment.report import assess, table
from rnnapps.apps.sentiment.serving import about, endpoints, quantize, samples
from rnnapps.cli import Objective, RunConfig
from rnnapps.datasets import BucketedBatches, LabelledTexts, summary
from rnnapps.datasets import load_splits as load
from rnnapps.errors import UserError
from rnnapps.options import as_json
from rnnapps.text import vocabulary
from rnnapps.training import LayerRate

Model = SentimentClassifier


def make(config: RunConfig, train: LabelledTexts) -> SentimentClassifier:
    """A classifier that knows the most frequent words of the training texts."""
    words = vocabulary(train.texts, config.model.vocabulary)
    if not words:
        raise UserError(f"{train.name}: the texts to train on have no words")
    bins = bins_for(train.texts, len(train.classes), config.model.ngrams)
    model = SentimentClassifier(words, train.classes, ngram_bins=bins, **as_json(config.model))
    model.build()
    if model.ngrams:
        model.ngrams.adapt(token_batches(model, train, config.training.batch_size).epoch(0))
    return model


def start(model: SentimentClassifier, config: RunConfig) -> None:
    """Copies what a language model or a file of word vectors has learned about the words."""
    how = config.training
    if how.start_from is not None:
        start_from_language_model(model, how.start_from, how.start_layers)
    if how.embeddings is not None:
        start_from_vectors(model, how.embeddings)


def layer_rates(model: SentimentClassifier, config: RunConfig, steps: int) -> list[LayerRate]:
    """The learning rates of pretrained layers."""
    return pretrained_rates(model, config.training, steps)


def batches(
    model: SentimentClassifier, split: LabelledTexts, config: RunConfig, seed: int | None = None
) -> BucketedBatches:
    """Batches of word ids and class numbers."""
    return token_batches(model, split, config.training.batch_size, seed=seed)


def objective(model: SentimentClassifier, validation: LabelledTexts, config: RunConfig) -> Objective:
    """Cross-entropy and accuracy."""
    return Objective(keras.losses.SparseCategoricalCrossentropy(from_logits=True), ["accuracy"])
