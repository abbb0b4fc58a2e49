"""From labelled texts to batches of word ids."""

import tensorflow as tf

from rnnapps.apps.sentiment.model import SentimentClassifier
from rnnapps.datasets import BucketedBatches, LabelledTexts, bucket

_BUCKETS = 6  # padded lengths; each costs one compilation where XLA is used
_BATCH = 2048  # texts whose words are looked up at once


def batches(
    model: SentimentClassifier, split: LabelledTexts, batch_size: int, *, seed: int | None = None
) -> BucketedBatches:
    """Batches of (tokens int32 (batch, time), labels int64 (batch,)) in a few padded lengths.

    Args:
        model: The classifier, whose vocabulary and `max_length` apply.
        split: The texts.
        batch_size: Texts per batch.
        seed: Reshuffles each epoch; None keeps a fixed order.
    """
    tokens = tf.concat(
        [model.tokens(tf.constant(split.texts[i : i + _BATCH])) for i in range(0, len(split.texts), _BATCH)], axis=0
    )
    return bucket(
        (tf.cast(tokens, tf.int32), split.labels),
        batch_size=batch_size,
        boundaries=_BUCKETS,
        max_length=model.options.max_length,
        seed=seed,
    )
