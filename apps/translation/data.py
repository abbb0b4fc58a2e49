"""From sentence pairs to batches of subword ids."""

import tensorflow as tf

from rnnapps.apps.translation.model import Translator
from rnnapps.datasets import PairBatches, Pairs
from rnnapps.text import END, START, Segmentations


def batches(
    model: Translator,
    pairs: Pairs,
    batch_size: int,
    *,
    max_length: int = 256,
    seed: int | None = None,
    sampling: float = 0.0,
) -> PairBatches:
    """Batches of ((source (batch, S), target_in (batch, T)), target_out (batch, T)), int32, padded with `PAD`.

    `target_in` begins with `START` and `target_out` ends with `END`.

    Args:
        model: The translator, whose `source_subwords` and `target_subwords` apply.
        pairs: The sentences.
        batch_size: Pairs per batch.
        max_length: Longest sentence in subwords; longer ones are cut.
        seed: Reshuffles each epoch; None keeps a fixed order.
        sampling: Subword regularisation: the exponent alpha with which each epoch draws new segmentations, see
            `rnnapps.text.Segmentations`; 0 always takes the best segmentation.
    """
    sides = ((model.source_subwords, pairs.sources), (model.target_subwords, pairs.targets))
    if not sampling:
        fixed = _framed(*(subwords.encode(tf.constant(texts, tf.string)) for subwords, texts in sides))
        return PairBatches(lambda _: fixed, batch_size=batch_size, max_length=max_length, seed=seed)
    drawn = [Segmentations(subwords.model, texts, sampling) for subwords, texts in sides]

    def draw(epoch: int) -> tuple[tf.RaggedTensor, tf.RaggedTensor, tf.RaggedTensor]:
        return _framed(*(side.draw((seed or 0, epoch, number)) for number, side in enumerate(drawn)))

    return PairBatches(draw, batch_size=batch_size, max_length=max_length, seed=seed)


def _framed(source: tf.RaggedTensor, target: tf.RaggedTensor) -> tuple[tf.RaggedTensor, ...]:
    mark = tf.ones([target.nrows(), 1], tf.int32)
    return source, tf.concat([START * mark, target], axis=1), tf.concat([target, END * mark], axis=1)
