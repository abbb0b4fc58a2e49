"""Batches of a long text: it is cut into as many streams as a batch has rows, which are read side by side.

Batch k has the k-th segment of every stream, so the state after one batch is the state before the next: truncated
backpropagation through time without a break in the text.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from rnnapps.apps.language.tokens import PAD

_SEGMENTS = 64  # of a held-out stream, at least


class Streams:
    """Segments of the streams of a text, see `rnnapps.training.Batches`.

    A batch is `((tokens, reset), targets)`: tokens int32 `(streams, time)`, reset bool `(streams,)`, true where the
    previous states are meaningless, and targets int32 `(streams, time)`, the next token of each.

    Args:
        ids: The tokens of the text, integers `(tokens,)`, at least two.
        streams: Number of streams; a text of fewer tokens has fewer.
        length: Tokens in a segment.
        seed: For training: each epoch begins a bit later in the text, so that segments are not always cut at the same
            places. None: every token is a target exactly once; the last stream is padded.
        random_length: Whether the places of the cuts vary, as in AWD-LSTM.

    Attributes:
        steps: Number of batches.

    Reference:
        Merity et al., Regularizing and optimizing LSTM language models, ICLR 2018, section 3.1 (random lengths).
    """

    def __init__(
        self, ids: np.ndarray, streams: int, length: int, *, seed: int | None = None, random_length: bool = False
    ) -> None:
        targets = len(ids) - 1
        self.ids, self.seed, self.random_length = ids, seed, random_length
        self.streams = max(1, min(streams, targets))
        if seed is None:
            self.span, self.slack = -(-targets // self.streams), 0
        else:
            self.slack = min(length, targets // self.streams // 10)
            self.span = (targets - self.slack) // self.streams
        self.length = min(length, self.span)
        self.steps = self.span // self.length if seed is not None else -(-self.span // self.length)

    @classmethod
    def held_out(cls, ids: np.ndarray, streams: int, length: int) -> Streams:
        """Every token once, in so few streams that little of the text lacks context."""
        return cls(ids, max(1, min(streams, len(ids) // (_SEGMENTS * length))), length)

    def epoch(self, n: int) -> tf.data.Dataset:
        """The batches of epoch `n`."""
        draw = None if self.seed is None else np.random.default_rng([self.seed, n])
        first = 0 if draw is None else int(draw.integers(self.slack + 1))
        cuts = np.minimum(np.arange(self.steps + 1) * self.length, self.span)
        if draw is not None and self.random_length:
            cuts[1:-1] += draw.integers(-(self.length // 4), self.length // 4 + 1, size=max(0, len(cuts) - 2))
        varied = self.random_length or bool(self.span % self.length)

        def segment(step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            begin, end = cuts[step], cuts[step + 1]
            rows = [self._row(first + stream * self.span, begin, end) for stream in range(self.streams)]
            return np.stack(rows), np.full(self.streams, step == 0)

        def batch(step: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
            tokens, reset = tf.numpy_function(segment, [step], (tf.int32, tf.bool))
            tokens.set_shape([self.streams, None if varied else self.length + 1])
            reset.set_shape([self.streams])
            return (tokens[:, :-1], reset), tokens[:, 1:]

        return tf.data.Dataset.range(self.steps).map(batch).prefetch(2)

    def _row(self, start: int, begin: int, end: int) -> np.ndarray:
        """The tokens of a segment and the one after, PAD beyond the end of the text."""
        found = self.ids[start + begin : start + end + 1].astype(np.int32)
        return np.pad(found, (0, end - begin + 1 - len(found)), constant_values=PAD)
