"""Dynamic evaluation: the model keeps learning from the text that it has read, and is scored before it learns.

Reference:
    Krause et al., Dynamic evaluation of neural sequence models, ICML 2018; with running means of squared gradients on
    the text itself instead of the training text.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.streams import Streams

_SEGMENT = 32  # tokens between two steps
_LEARNING_RATE = 1e-4
_DECAY = 2e-3  # of what was learnt, back to the weights before
_MEAN = 0.999  # momentum of the running mean of squared gradients
_CLIP = 1.0


def score_dynamically(model: LanguageModel, ids: np.ndarray) -> np.ndarray:
    """The surprise of each token of a text that the model reads in one stream and learns from.

    Args:
        model: The model; its weights are restored afterwards.
        ids: Integers `(tokens,)`, at least two.

    Returns:
        Float32 `(tokens - 1,)`: nats of each token but the first.
    """
    weights = [weight.value for weight in model.trainable_weights]
    before = [tf.identity(weight) for weight in weights]
    squares = [tf.Variable(tf.zeros_like(weight)) for weight in weights]

    def step(
        tokens: tf.Tensor, targets: tf.Tensor, states: list[tf.Tensor], bias: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            outputs, states = model.read(tokens, states)
            nats = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, model.logits(outputs))
            loss = tf.reduce_mean(nats)
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, weights)]
        gradients, _ = tf.clip_by_global_norm(gradients, _CLIP)
        for weight, gradient, square, origin in zip(weights, gradients, squares, before, strict=True):
            square.assign(_MEAN * square + (1 - _MEAN) * tf.square(gradient))
            change = _LEARNING_RATE * gradient / (tf.sqrt(square / bias) + 1e-8)
            weight.assign(weight - change + _DECAY * (origin - weight))
        return nats, states

    learn = tf.function(step, reduce_retracing=True, autograph=False)
    states = model.initial_states(1)
    found = []
    try:
        for number, ((tokens, _), targets) in enumerate(Streams(ids, 1, _SEGMENT).epoch(0)):
            nats, states = learn(tokens, targets, states, tf.constant(1 - _MEAN ** (number + 1), tf.float32))
            found.append(nats.numpy()[0])
    finally:
        for weight, origin in zip(weights, before, strict=True):
            weight.assign(origin)
    return np.concatenate(found)[: len(ids) - 1]
