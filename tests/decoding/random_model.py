"""A model of the next token whose probabilities depend on all tokens before, in TensorFlow and in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

START = 1


class RandomModel:
    """Each sentence has a table of logits; the state, a hash of the tokens so far, says which row comes next."""

    def __init__(self, batch: int, vocabulary: int, seed: int, spread: float = 2.0, rows: int = 499) -> None:
        self.tables = np.random.default_rng(seed).normal(0, spread, (batch, rows, vocabulary)).astype("float32")
        self.rows = rows

    @property
    def states(self) -> dict[str, tf.Tensor]:
        return {"hash": tf.zeros([len(self.tables)], tf.int32), "vector": tf.zeros([len(self.tables), 2, 3])}

    def step(self, ids: tf.Tensor, states: dict[str, tf.Tensor], tables: tf.Tensor) -> tuple[tf.Tensor, Any]:
        tf.debugging.assert_equal(states["vector"][:, :, 0, 0], tf.cast(states["hash"], tf.float32))
        hashed = (states["hash"] * 31 + ids * 7 + 1) % self.rows
        vector = tf.cast(hashed, tf.float32)[:, :, None, None] * tf.ones([2, 3])  # goes where the hash goes
        return tf.gather(tables, hashed, batch_dims=1), {"hash": hashed, "vector": vector}

    def log_probs(self, sentence: int, tokens: tuple[int, ...]) -> np.ndarray:
        """Of each next token after some tokens, in float64."""
        hashed = 0
        for token in (START, *tokens):
            hashed = (hashed * 31 + token * 7 + 1) % self.rows
        logits = self.tables[sentence, hashed].astype("float64")
        return logits - np.log(np.sum(np.exp(logits - logits.max()))) - logits.max()


Scored = list[tuple[float, tuple[int, ...]]]


def penalty(length: int, alpha: float) -> float:
    return ((5 + length) / 6) ** alpha


def every_sequence(model: RandomModel, sentence: int, end: int, limit: int, alpha: float) -> Scored:
    """All sequences of at most `limit` tokens and their scores, the best first."""
    found, growing = [], [(0.0, ())]
    for position in range(limit + 1):
        longer = []
        for total, tokens in growing:
            log_probs = model.log_probs(sentence, tokens)
            found.append(((total + log_probs[end]) / penalty(position + 1, alpha), tokens))
            longer += [(total + log_probs[v], (*tokens, v)) for v in range(len(log_probs)) if v != end]
        growing = longer
    return sorted(found, reverse=True)


def plain_beam_search(
    model: RandomModel, sentence: int, end: int, limit: int, alpha: float, beam_width: int, n_best: int
) -> Scored:
    """The rule of `beam_search` for one sentence, with lists."""
    finished, beam = [], [(0.0, ())]
    for position in range(limit + 1):
        candidates = []
        for total, tokens in beam:
            log_probs = model.log_probs(sentence, tokens)
            for token in range(len(log_probs)):
                if token == end or position < limit:
                    candidates.append((total + log_probs[token], tokens, token))
        candidates.sort(key=lambda candidate: -candidate[0])
        for total, tokens, token in candidates[:beam_width]:
            if token == end:
                finished.append((total / penalty(position + 1, alpha), tokens))
        beam = [(total, (*tokens, token)) for total, tokens, token in candidates if token != end][:beam_width]
        finished.sort(reverse=True)
        if not beam:
            break
        if len(finished) >= n_best and finished[n_best - 1][0] >= beam[0][0] / penalty(limit + 1, alpha):
            break
        if alpha and len(finished) >= beam_width and finished[0][0] >= beam[0][0] / penalty(position + 2, alpha):
            break
    return finished[:n_best]
