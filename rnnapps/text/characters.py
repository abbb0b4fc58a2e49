"""Texts to numbers of characters and back, in the graph."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


class Characters:
    """An alphabet: the number of a character is its place in it.

    Args:
        alphabet: The characters, each once.

    Attributes:
        pieces: The characters in the order of their numbers.
        size: How many there are.

    Raises:
        ValueError: A piece is not one character, or occurs twice.

    Example:
        >>> alphabet = Characters(" abe")
        >>> alphabet.encode(tf.constant(["a bee", "x"])).to_list()
        [[1, 0, 2, 3, 3], []]
        >>> alphabet.decode(tf.constant([[1, 0, 2, 3, 3], [2, -1, -1, -1, -1]])).numpy().tolist()
        [b'a bee', b'b']
    """

    def __init__(self, alphabet: Sequence[str]) -> None:
        self.pieces = tuple(alphabet)
        different = len(set(self.pieces)) == len(self.pieces) > 0
        if not different or any(len(piece) != 1 for piece in self.pieces):
            raise ValueError(f"`alphabet` must hold single characters, each once, got {alphabet!r}")
        self.size = len(self.pieces)
        ordered = sorted(range(self.size), key=lambda place: self.pieces[place])
        self._codes = [ord(self.pieces[place]) for place in ordered]
        self._places = ordered

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Strings `(batch,)` -> numbers, ragged int32 `(batch, None)`; characters outside the alphabet are left out."""
        codes = tf.strings.unicode_decode(texts, "UTF-8", errors="replace")
        known = tf.constant(self._codes, tf.int32)
        found = tf.minimum(tf.searchsorted(known, codes.flat_values), self.size - 1)
        numbers = codes.with_flat_values(tf.gather(tf.constant(self._places, tf.int32), found))
        return tf.ragged.boolean_mask(numbers, codes.with_flat_values(tf.gather(known, found) == codes.flat_values))

    def decode(self, numbers: tf.Tensor) -> tf.Tensor:
        """Numbers, integer `(batch, length)`, -1 for padding -> strings `(batch,)`."""
        return tf.strings.reduce_join(self.each(numbers), axis=-1)

    def each(self, numbers: tf.Tensor) -> tf.Tensor:
        """The character of each number, strings of the same shape; "" for -1."""
        return tf.gather(tf.constant([*self.pieces, ""]), tf.where(numbers < 0, self.size, tf.cast(numbers, tf.int32)))
