"""Sentences as ids of words, and back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from rnnapps.text import END, PAD, START, UNKNOWN, normalise, vocabulary

TOKENS = 4  # ids that are not words: PAD, UNKNOWN, START and END
_UNKNOWN_WORD = "…"


def words_of(captions: Sequence[bytes], most: int) -> list[str]:
    """The most frequent words of captions, in lower case, without punctuation."""
    return vocabulary(plain(captions), most)


def plain(captions: Sequence[bytes]) -> list[str]:
    """Captions as the model writes them: lower case, without punctuation, words between single spaces."""
    texts = [text.decode() for text in normalise(tf.constant(captions, tf.string)).numpy()]
    return [" ".join(word for word in text.split() if any(map(str.isalnum, word))) for text in texts]


def framed(captions: Sequence[bytes], words: Sequence[str]) -> np.ndarray:
    """Ids of captions, int32 (captions, longest + 2): START, the words, END, padded with PAD.

    Example:
        >>> framed([b"A cat sleeps.", b"A dog"], ["a", "cat", "sleeps"]).tolist()
        [[2, 4, 5, 6, 3], [2, 4, 1, 3, 0]]
    """
    numbers = {word: number for number, word in enumerate(words, start=TOKENS)}
    rows = [[START, *(numbers.get(word, UNKNOWN) for word in text.split()), END] for text in plain(captions)]
    ids = np.full((len(rows), max(map(len, rows))), PAD, np.int32)
    for row, found in enumerate(rows):
        ids[row, : len(found)] = found
    return ids


def joined(ids: tf.Tensor, words: Sequence[str]) -> tf.Tensor:
    """The sentences, string (batch,), of ids without START and END, int32 (batch, words), padded with PAD."""
    table = tf.constant(["", _UNKNOWN_WORD, "", "", *words])
    return tf.strings.strip(tf.strings.reduce_join(tf.gather(table, ids), axis=1, separator=" "))
