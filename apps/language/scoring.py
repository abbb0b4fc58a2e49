"""How probable a text is, token by token."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.streams import Streams
from rnnapps.apps.language.tokens import END, PAD

READ = 512  # tokens of each stream at a time
_BURN_IN = 8192  # minimum tokens of a stream: each starts without its context
_AT_ONCE = 2048  # tokens of a text whose logits are computed at once


def log_probabilities(model: LanguageModel, text: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The log-probability of each token of texts, given those before it.

    Args:
        model: The model.
        text: String `(batch,)`.

    Returns:
        The tokens, int32 `(batch, time)` padded with `PAD`, and their log-probabilities in nats, float32
        `(batch, time)`, 0 for padding.
    """
    ids = model.tokens.encode(text).to_tensor()
    batch, time = tf.shape(ids)[0], tf.shape(ids)[1]
    inputs = tf.concat([tf.fill([batch, 1], END), ids], axis=1)[:, :-1]

    def body(begin: tf.Tensor, scores: tf.Tensor, states: list[tf.Tensor]) -> tuple:
        end = tf.minimum(begin + _AT_ONCE, time)
        outputs, states = model.read(inputs[:, begin:end], states)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(ids[:, begin:end], model.logits(outputs))
        return end, tf.concat([scores, -nats], axis=1), states

    states = model.initial_states(batch)
    _, scores, _ = tf.while_loop(
        lambda begin, scores, states: begin < time,
        body,
        (tf.constant(0), tf.zeros([batch, 0]), states),
        shape_invariants=(
            tf.TensorShape([]),
            tf.TensorShape([None, None]),
            [tf.TensorShape([None]).concatenate(state.shape[1:]) for state in states],
        ),
    )
    return ids, tf.where(ids == PAD, 0.0, scores)


def score_ids(model: LanguageModel, ids: np.ndarray, streams: int) -> np.ndarray:
    """The surprise of each token of a long text, which is read as several parallel streams.

    Args:
        model: The model.
        ids: Integers `(tokens,)`, at least two.
        streams: Maximum number of streams. Each has at least 8,192 tokens, so that little of the text lacks context.

    Returns:
        Float32 `(tokens - 1,)`: nats of each token but the first.
    """
    segments = Streams(ids, max(1, min(streams, len(ids) // _BURN_IN)), READ)
    states = model.initial_states(segments.streams)

    def nats(tokens: tf.Tensor, targets: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        outputs, states = model.read(tokens, states)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, model.logits(outputs)), states

    read = tf.function(nats, reduce_retracing=True, autograph=False)
    found = []
    for (tokens, _), targets in segments.epoch(0):
        values, states = read(tokens, targets, states)
        found.append(values.numpy())
    return np.concatenate(found, axis=1).reshape(-1)[: len(ids) - 1]
