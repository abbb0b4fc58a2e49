"""From sentence pairs to batches of subword ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import tensorflow as tf

from rnnapps.datasets import PairBatches, Pairs
from rnnapps.datasets.dataset import skipped
from rnnapps.text import END, START, Segmentations

if TYPE_CHECKING:
    from rnnapps.apps.translation.model import Translator

SPLITS = ("train", "validation", "test")


def summary(splits: Iterable[Pairs]) -> Iterator[str]:
    """Lines that say what was loaded, and which pairs were skipped."""
    splits = list(splits)
    known = splits[0]
    sizes = ", ".join(f"{pairs.split} {len(pairs.sources):,}" for pairs in splits)
    yield f"{known.name}: {sizes} pairs" + (
        f"; {known.languages[0]} to {known.languages[1]}" if known.languages else ""
    )
    yield from skipped((row for pairs in splits for row in pairs.rejected), "pair", "pairs")


def batches(
    model: Translator,
    pairs: Pairs,
    batch_size: int,
    *,
    buckets: int | None = None,
    max_length: int = 256,
    seed: int | None = None,
    sampling: float = 0.0,
) -> PairBatches:
    """Batches of ((source (batch, S), target_in (batch, T)), target_out (batch, T)), int32, padded with `PAD`.

    `target_in` begins with `START` and `target_out` ends with `END`.

    Args:
      model: the translator, whose `source_subwords` and `target_subwords` apply.
      pairs: the sentences.
      batch_size: pairs a batch.
      buckets: how many padded shapes at most, for XLA; None pads each batch to its own longest sentences.
      max_length: where longer sentences are cut, in subwords.
      seed: shuffles anew each epoch; None keeps a fixed order.
      sampling: subword regularisation: the exponent alpha by which each epoch draws other segmentations, see
        `rnnapps.text.Segmentations`; 0 takes the best segmentation always.
    """
    sides = ((model.source_subwords, pairs.sources), (model.target_subwords, pairs.targets))
    if not sampling:
        fixed = _framed(*(subwords.encode(tf.constant(texts, tf.string)) for subwords, texts in sides))
        return PairBatches(lambda _: fixed, batch_size=batch_size, buckets=buckets, max_length=max_length, seed=seed)
    drawn = [Segmentations(subwords.model, texts, sampling) for subwords, texts in sides]

    def draw(epoch: int) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        return _framed(*(side.draw((seed or 0, epoch, number)) for number, side in enumerate(drawn)))

    return PairBatches(draw, batch_size=batch_size, buckets=buckets, max_length=max_length, seed=seed)


def _framed(source: tf.RaggedTensor, target: tf.RaggedTensor) -> tuple[tf.RaggedTensor, ...]:
    mark = tf.ones([target.nrows(), 1], tf.int32)
    return source, tf.concat([START * mark, target], axis=1), tf.concat([target, END * mark], axis=1)
