"""Texts to numbers of subwords and back, in the graph, as `Characters` does it for characters."""

from __future__ import annotations

import re

import tensorflow as tf

from rnnapps.text.subwords import END, Subwords

_BYTE = re.compile(r"<0x[0-9A-F]{2}>")


class SubwordPieces:
    """The subwords of a vocabulary that are pieces of text, numbered from 0: neither special ids nor single bytes.

    Joined pieces are the text, with a space before it: each piece that begins a word has the space in front. So a text
    can be continued piece by piece, is always valid UTF-8, and reading it back needs no operation of TensorFlow Text.

    Args:
        subwords: The vocabulary.

    Attributes:
        pieces: The pieces in the order of their numbers, a space where SentencePiece has ▁.
        size: How many there are.

    Example:
        >>> vocabulary = train_subwords(["turn the light on", "turn the lights off"] * 9, size=512)
        >>> subwords = SubwordPieces(Subwords(vocabulary))
        >>> subwords.decode(subwords.encode(tf.constant(["the light"])).to_tensor(-1)).numpy().tolist()
        [b' the light']
    """

    def __init__(self, subwords: Subwords) -> None:
        self.subwords = subwords
        with tf.init_scope():
            names = [piece.decode() for piece in subwords.pieces(tf.range(subwords.size)).numpy().tolist()]
        ids = [number for number, name in enumerate(names) if number > END and not _BYTE.fullmatch(name)]
        self.pieces = tuple(names[number].replace("▁", " ") for number in ids)
        self.size = len(ids)
        self._numbers = [-1] * subwords.size
        for number, token in enumerate(ids):
            self._numbers[token] = number

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Strings `(batch,)` -> numbers, ragged int32 `(batch, None)`; characters without a piece are left out."""
        ids = self.subwords.encode(texts)
        numbers = ids.with_flat_values(tf.gather(tf.constant(self._numbers, tf.int32), ids.flat_values))
        return tf.ragged.boolean_mask(numbers, numbers >= 0)

    def decode(self, numbers: tf.Tensor) -> tf.Tensor:
        """Numbers, integer `(batch, length)`, -1 for padding -> strings `(batch,)`, with a space before each word."""
        return tf.strings.reduce_join(self.each(numbers), axis=-1)

    def each(self, numbers: tf.Tensor) -> tf.Tensor:
        """The piece of each number, strings of the same shape; "" for -1."""
        return tf.gather(tf.constant([*self.pieces, ""]), tf.where(numbers < 0, self.size, tf.cast(numbers, tf.int32)))
