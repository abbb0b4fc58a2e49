"""Translation: what its commands call. See `rnnapps.cli.task` for the contract."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np

from rnnapps.apps.translation.cli import Search
from rnnapps.apps.translation.data import batches as pair_batches
from rnnapps.apps.translation.model import Translator
from rnnapps.apps.translation.report import assess, bleu_of, draw_attention, table, translator
from rnnapps.apps.translation.serving import about, endpoints, samples
from rnnapps.cli import Objective, RunConfig
from rnnapps.datasets import PairBatches, Pairs, summary
from rnnapps.datasets import load_splits as load
from rnnapps.options import as_json
from rnnapps.text import Subwords, train_subwords

Model = Translator
_DRAWN = 3  # sentences in the picture of a run


def make(config: RunConfig, train: Pairs) -> Translator:
    """A translator with the subwords of the training sentences."""
    texts = [train.sources, train.targets]
    if config.training.joint:
        texts = [[*train.sources, *train.targets]]
    subwords = [
        Subwords(train_subwords(language, config.training.vocabulary, seed=config.source.seed)) for language in texts
    ]
    click.echo(f"subwords: {' and '.join(f'{vocabulary.size:,}' for vocabulary in subwords)}")
    model = Translator(*(vocabulary.to_text() for vocabulary in subwords), **as_json(config.model))
    model.build()
    return model


def batches(model: Translator, split: Pairs, config: RunConfig, seed: int | None = None) -> PairBatches:
    """Batches of subword ids; in training, segmented anew each epoch if `--sampling` is set."""
    how = config.training
    return pair_batches(
        model,
        split,
        how.batch_size,
        max_length=how.max_length,
        seed=seed,
        sampling=how.sampling if seed is not None else 0.0,
    )


def objective(model: Translator, validation: Pairs, config: RunConfig) -> Objective:
    """The model's own loss; the best epoch is the one with the best BLEU of greedy translations."""
    translate = translator(model, Search(beam=1), config.training.batch_size)
    # Evenly spaced: the first of a file that is sorted by length would all be short.
    chosen = np.linspace(0, len(validation) - 1, min(len(validation), config.training.bleu_sample)).round().astype(int)
    sources = [validation.sources[number] for number in chosen]
    references = [validation.targets[number].decode() for number in chosen]

    def val_bleu() -> float:
        return bleu_of(translate(sources), references).score

    # Batches have too many shapes to compile each one.
    return Objective(monitor="val_bleu", mode="max", figures={"val_bleu": val_bleu}, jit_compile=False)


def finish(model: Translator, splits: Mapping[str, Pairs], config: RunConfig, report: Path) -> None:
    """Draws the attention of a few validation sentences."""
    if model.attention is not None:
        sources = splits["validation"].sources[:_DRAWN]
        draw_attention(model, sources, translator(model, Search(), _DRAWN)(sources), report / "attention.png")


def draw(model: Translator, answered: Sequence[tuple[Mapping, Mapping]], decoding: Search) -> None:
    """`predict --attention-plot`: draws the attention of the first texts."""
    if decoding.attention_plot is None or not answered:
        return
    sources, translations = zip(*((row["text"], answer["translation"]) for row, answer in answered), strict=True)
    if not draw_attention(model, sources, translations, decoding.attention_plot):
        click.echo("there is no attention to draw: every text or translation is empty", err=True)
