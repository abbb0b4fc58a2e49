"""How good translations are: BLEU, chrF, exact match and speed; and a picture of what the attention looked at."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from rnnapps.apps.translation.cli import Search
from rnnapps.apps.translation.data import batches
from rnnapps.apps.translation.model import Translator
from rnnapps.datasets import Pairs
from rnnapps.errors import UserError
from rnnapps.text import START
from rnnapps.text.reference_scores import Score, bleu, chrf
from rnnapps.training import plot_attention

Translate = Callable[[Sequence[str | bytes]], list[str]]
_SHOWN = 40  # maximum number of subwords of a sentence in a picture


def translator(model: Translator, search: Search, batch_size: int) -> Translate:
    """A function from sentences to their best translations, in that order, which compiles once."""
    best = tf.function(
        lambda text: model.translate(text, search)[0][:, 0], [tf.TensorSpec([None], tf.string)], autograph=False
    )

    def translate(texts: Sequence[str | bytes]) -> list[str]:
        found = np.empty(len(texts), object)
        order = np.argsort([len(text) for text in texts], kind="stable")  # so that a batch has similar lengths
        for first in range(0, len(texts), batch_size):
            rows = order[first : first + batch_size]
            found[rows] = best(tf.constant([texts[row] for row in rows])).numpy()
        return [text.decode("utf-8", errors="replace") for text in found]

    return translate


def bleu_of(translations: Sequence[str], references: Sequence[str]) -> Score:
    """BLEU with one reference for each translation."""
    return bleu(translations, [[reference] for reference in references], "translation")


def assess(
    model: Translator, pairs: Pairs, batch_size: int, decoding: Search, report: Path | None = None
) -> dict[str, Any]:
    """Evaluates a translator.

    Args:
        model: The translator.
        pairs: Sentences with their references.
        batch_size: Sentences translated at once.
        decoding: How translations are found.
        report: Not used; the attention is drawn after training.

    Returns:
        `bleu`, `chrf` and their `bleu_signature`, `chrf_signature`; `exact_match`, the share of translations that equal
        the reference letter by letter; `loss`, the cross-entropy in nats per subword; `perplexity`; `count`;
        `sentences_per_second` of the translation, without compilation.
    """
    translate = translator(model, decoding, batch_size)
    translate(pairs.sources[:1])
    start = time.perf_counter()
    translations = translate(pairs.sources)
    seconds = time.perf_counter() - start
    references = [text.decode("utf-8") for text in pairs.targets]
    bleu_score, bleu_signature = bleu_of(translations, references)
    chrf_score, chrf_signature = chrf(translations, [[reference] for reference in references], "translation")
    exact = np.mean([ours == reference for ours, reference in zip(translations, references, strict=True)])
    loss = _loss(model, pairs, batch_size)
    return {
        "bleu": bleu_score,
        "bleu_signature": bleu_signature,
        "chrf": chrf_score,
        "chrf_signature": chrf_signature,
        "exact_match": float(exact),
        "loss": loss,
        "perplexity": float(np.exp(loss)),
        "count": len(references),
        "sentences_per_second": len(references) / seconds,
    }


def table(metrics: dict[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    return "\n".join(
        [
            f"BLEU         {metrics['bleu']:.2f}   {metrics['bleu_signature']}",
            f"chrF         {metrics['chrf']:.2f}   {metrics['chrf_signature']}",
            f"exact match  {metrics['exact_match']:.2%}",
            f"loss         {metrics['loss']:.4f}  (perplexity {metrics['perplexity']:.2f})",
            f"sentences    {metrics['count']:,}, {metrics['sentences_per_second']:.1f} a second",
        ]
    )


def draw_attention(
    model: Translator, sources: Sequence[str] | Sequence[bytes], translations: Sequence[str], path: Path
) -> bool:
    """Draws which subwords of the sources the attention looked at for each subword of their translations; a PNG.

    Returns:
        Whether there was anything to draw: a sentence and a translation that are not empty.

    Raises:
        UserError: The model has no attention.
    """
    if model.attention is None:
        raise UserError("this model was trained with --attention none, so there is no attention to draw")
    panels = [panel for panel in _panels(model, sources, translations) if len(panel[1]) and len(panel[2])]
    if panels:
        plot_attention(panels, path)
    return bool(panels)


def _panels(
    model: Translator, sources: Sequence[str] | Sequence[bytes], translations: Sequence[str]
) -> Iterator[tuple[np.ndarray, list[str], list[str]]]:
    for source, translation in zip(sources, translations, strict=True):
        read = model.source_ids(tf.constant([source]))[:, :_SHOWN]
        written = model.target_subwords.encode(tf.constant([translation])).to_tensor()[:, :_SHOWN]
        weights = model.alignment(read, tf.concat([[[START]], written[:, :-1]], axis=1))[0].numpy()
        yield (
            weights,
            [piece.decode() for piece in model.source_subwords.pieces(read)[0].numpy()],
            [piece.decode() for piece in model.target_subwords.pieces(written)[0].numpy()],
        )


def _loss(model: Translator, pairs: Pairs, batch_size: int) -> float:
    """The mean cross-entropy over all subwords, in nats."""
    cost = tf.function(model.costs, reduce_retracing=True, autograph=False)
    total = count = 0.0
    for (source, target_in), target_out in batches(model, pairs, batch_size).epoch(0):
        subwords = np.count_nonzero(target_out)
        total += subwords * float(cost(source, target_in, target_out)[0])
        count += subwords
    return total / count
