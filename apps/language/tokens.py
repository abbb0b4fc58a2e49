"""Text to tokens and back, in the graph: characters, words or subwords, each a piece of text.

A text is the pieces of its tokens joined, so decoding is the same for all levels. The ids 0 to 3 are those of
`rnnapps.text`: `PAD`, `UNKNOWN`, `NEWLINE` (a line break) and `END` (of a document; also precedes its beginning).
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

from rnnapps.datasets import Corpus, DataError, batched
from rnnapps.text import END, PAD, START, UNKNOWN, Subwords, normalise, train_subwords

NEWLINE = START  # subword models have this id, but no use for it here
LEVELS = {"char": 4096, "word": 20_000, "subword": 4000}  # and the size of a vocabulary by default
_BYTES = 256
_LEARNT = 64 << 20  # bytes of text that a vocabulary is learnt from
_SPECIAL = (b"", "\ufffd".encode(), b"\n", b"")
# A word, a number or a punctuation mark, with the space before it; a line break; other white space.
_WORD = r"( ?\pL[\pL\pM'’]*| ?\pN+| ?[^\s\pL\pN\x1f]|\n|[^\S\n\x1f]+)"
_NORMALISED_WORD = r"( ?[^\s\x1f]+|\n)"
_BORDER = "\x1f"


class Tokens(tf.Module):
    """The vocabulary of a level.

    Args:
        level: "char", "word" or "subword".
        vocabulary: What `learn` returned.
        normalised: Whether lines are normalised as by `rnnapps.text.normalise` and begin with a space, so that the
            words of the level "word" are those of the word models of this library.

    Attributes:
        pieces: The text of each id, bytes.
        size: Their number.
    """

    def __init__(self, level: str, vocabulary: Sequence[str], normalised: bool = False) -> None:
        super().__init__()
        self.level, self.vocabulary, self.normalised = level, tuple(vocabulary), normalised
        self.spaced_lines = normalised or level == "subword"  # whether lines are given a leading space
        self.subwords = Subwords.from_text(self.vocabulary[0]) if level == "subword" else None
        self.pieces = self._pieces()
        self.size = len(self.pieces)
        with tf.init_scope():
            numbers = tf.constant([NEWLINE, *range(_first(level), self.size)])
            names = tf.constant(["\n", *self.vocabulary]) if level != "subword" else tf.as_string(numbers)
            entries = tf.lookup.KeyValueTensorInitializer(names, numbers)
            self._ids = tf.lookup.StaticHashTable(entries, UNKNOWN)

    def _pieces(self) -> list[bytes]:
        if self.subwords is not None:
            with tf.init_scope():
                ids = tf.range(len(_SPECIAL), self.subwords.size)
                return [*_SPECIAL, *map(_plain, self.subwords.pieces(ids).numpy())]
        own = [piece.encode() for piece in self.vocabulary]
        if self.level == "word":
            return [*_SPECIAL[:UNKNOWN], b" <unk>", *_SPECIAL[UNKNOWN + 1 :], *own]
        return [*_SPECIAL, *(bytes([number]) for number in range(_BYTES)), *own]

    def encode(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """Token ids, without `END`.

        Args:
            texts: String `(batch,)`, UTF-8.

        Returns:
            Ragged int32 `(batch, None)`.
        """
        if self.normalised:
            texts = normalised_lines(texts)
        if self.level == "char":
            return self._characters(texts)
        return self._words(texts) if self.level == "word" else self._subwords(texts)

    def decode(self, ids: tf.Tensor | tf.RaggedTensor, after: tf.Tensor | None = None) -> tf.Tensor:
        """The texts that ids spell, string `(batch,)`, always valid UTF-8.

        Args:
            ids: Int32, ragged or dense `(batch, time)`; `PAD` and `END` spell nothing.
            after: The text before them, string `(batch,)`; None for nothing.
        """
        pieces = tf.gather(tf.constant(self.pieces), ids)
        if isinstance(pieces, tf.RaggedTensor):
            pieces = pieces.to_tensor(default_value="")
        return self.readable(tf.strings.reduce_join(pieces, axis=-1), after)

    def shown(self, ids: tf.Tensor) -> tf.Tensor:
        """The text of each id, string of the shape of `ids`, valid UTF-8."""
        with tf.init_scope():
            pieces = valid_utf8(tf.constant(self.pieces)).numpy()
        return tf.gather(tf.constant(pieces), ids)

    def readable(self, text: tf.Tensor, after: tf.Tensor | None = None) -> tf.Tensor:
        """Joined pieces as text: bytes that spell no character become U+FFFD, a line loses its first space."""
        if self.spaced_lines:
            text = tf.strings.regex_replace(text, "\n ", "\n")
            begun = tf.strings.regex_replace(text, "^ ", "")
            space = r"\s" if self.normalised else r"\n"  # a normalised text has lost the space at its end
            within_line = False if after is None else tf.strings.regex_full_match(after, f"(?s).*[^{space}]")
            text = tf.where(within_line, text, begun)
        return valid_utf8(text)

    def _characters(self, texts: tf.Tensor) -> tf.RaggedTensor:
        characters = tf.strings.unicode_split(texts, "UTF-8", errors="replace")
        known = self._ids.lookup(characters.values)
        spelt = tf.strings.bytes_split(characters.values)  # (characters, bytes)
        of = spelt.value_rowids()
        byte_ids = tf.cast(tf.reshape(tf.io.decode_raw(spelt.values, tf.uint8), [-1]), tf.int32) + len(_SPECIAL)
        first = tf.gather(spelt.row_starts(), of) == tf.range(tf.size(of, tf.int64), dtype=tf.int64)
        whole = tf.gather(known, of) != UNKNOWN
        ids = tf.where(whole, tf.gather(known, of), byte_ids)
        kept = tf.ensure_shape(first | ~whole, [None])
        rows = tf.gather(characters.value_rowids(), of)
        return tf.RaggedTensor.from_value_rowids(
            tf.boolean_mask(ids, kept), tf.boolean_mask(rows, kept), nrows=characters.nrows(), validate=False
        )

    def _words(self, texts: tf.Tensor) -> tf.RaggedTensor:
        words = split_words(texts, self.normalised)
        return words.with_values(self._ids.lookup(words.values))

    def _subwords(self, texts: tf.Tensor) -> tf.RaggedTensor:
        assert self.subwords is not None
        lines = tf.strings.split(tf.strings.regex_replace(texts, "\n", f"{_BORDER}\n"), _BORDER)
        begins = tf.strings.substr(lines.values, 0, 1) == "\n"
        ids = self.subwords.encode(tf.strings.regex_replace(lines.values, "^\n", ""))
        breaks = tf.ragged.boolean_mask(tf.fill([tf.size(begins), 1], NEWLINE), begins[:, None])
        return lines.with_values(tf.concat([breaks, ids], axis=1)).merge_dims(1, 2)

    def of_letters(self, beginning: str = "") -> np.ndarray:
        """For each id, whether it is `beginning` and then only letters or digits, so that it can be part of a word."""
        with tf.init_scope():
            return tf.strings.regex_full_match(tf.constant(self.pieces), rf"{beginning}[\pL\pM\pN'’-]+").numpy()

    def would_join(self, ids: tf.Tensor) -> tf.Tensor:
        """Which tokens would make one word with the tokens before them, and so never follow them in a text.

        Args:
            ids: Int32 `(batch,)`, the tokens before.

        Returns:
            Boolean `(batch, size)`; False everywhere but for words.
        """
        joined = tf.fill([tf.size(ids), self.size], False)
        if self.level == "word":
            word = r" ?\pL[\pL\pM'’]*| <unk>"  # nearly every unknown token is a word
            for end, begin in ((word, r"[\pL\pM'’]+"), (r" ?\pN+", r"\pN+")):
                with tf.init_scope():
                    ends, begins = (
                        tf.strings.regex_full_match(tf.constant(self.pieces), pattern).numpy()
                        for pattern in (end, begin)
                    )
                joined |= tf.gather(tf.constant(ends), ids)[:, None] & begins
        return joined


def normalised_lines(texts: tf.Tensor) -> tf.Tensor:
    """Normalises each line as `rnnapps.text.normalise` does, with a space before it: string, of the same shape.

    Example:
        >>> normalised_lines(tf.constant(["Great<br />film!\\n\\nYES"])).numpy().tolist()
        [b' great film !\\n\\n yes']
    """
    lines = tf.strings.split(texts, "\n")
    lines = lines.with_values(tf.strings.regex_replace(normalise(lines.values), r"^(\S)", r" \1") + "\n")
    # Not with `separator`, which `reduce_join` leaves out after leading empty lines.
    return tf.strings.regex_replace(tf.strings.reduce_join(lines, axis=-1), "\n$", "")


def split_words(texts: tf.Tensor, normalised: bool = False) -> tf.RaggedTensor:
    """Words, numbers, punctuation marks and line breaks, each with the space before it: ragged strings `(batch, None)`.

    Args:
        texts: String `(batch,)`.
        normalised: Whether they are normalised, so that only white space separates words.

    Example:
        >>> split_words(tf.constant(["It's 9 o'clock, sir!"])).to_list()
        [[b"It's", b' 9', b" o'clock", b',', b' sir', b'!']]
    """
    texts = tf.strings.regex_replace(valid_utf8(texts), _BORDER, " ")
    word = _NORMALISED_WORD if normalised else _WORD
    parts = tf.strings.split(tf.strings.regex_replace(texts, word, rf"\1{_BORDER}"), _BORDER)
    return tf.ragged.boolean_mask(parts, parts != "")


def learn(level: str, corpus: Corpus, size: int | None = None, normalised: bool = False) -> list[str]:
    """The vocabulary of a level: the most frequent characters or words of a text, or a subword model.

    Args:
        level: "char", "word" or "subword".
        corpus: The training text. Of a large text, only evenly spaced blocks count.
        size: The largest number of ids; None for the level's default.
        normalised: See `Tokens`.

    Returns:
        Characters, or words that occur at least twice, the most frequent first; for subwords the model as one string.

    Raises:
        DataError: The text has no characters.
        UserError: Packages for subwords are missing, or `size` is too small for them.
    """
    size = size or LEVELS[level]
    step = max(1, corpus.bytes // _LEARNT)
    batches: Iterable[list[bytes]] = (
        [block.text for block in blocks] for number, blocks in enumerate(batched(corpus.read())) if number % step == 0
    )
    if normalised:
        batches = (normalised_lines(tf.constant(texts)).numpy().tolist() for texts in batches)
    if level == "subword":
        lines = (line for texts in batches for text in texts for line in text.splitlines())
        return [Subwords(train_subwords(lines, size)).to_text()]
    counts: collections.Counter[str] = collections.Counter()
    for texts in batches:
        if level == "char":
            counts.update(b"".join(texts).decode("utf-8", errors="ignore"))
        else:
            words = split_words(tf.constant(texts), normalised).values.numpy()
            counts.update(word.decode() for word in words.tolist())
    for special in ("\n", "\ufffd", "\0"):
        counts.pop(special, None)
    if not counts:
        raise DataError(f"{corpus.name}: too little text to learn from; name more, or another file")
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if level == "word":  # words seen once stand for those never seen: otherwise nothing might train the unknown word
        ranked = [(word, count) for word, count in ranked if count > 1] or ranked
    return [piece for piece, _ in ranked[: max(1, size - _first(level))]]


def valid_utf8(texts: tf.Tensor) -> tf.Tensor:
    """Texts in which U+FFFD replaces bytes that are not UTF-8."""
    return tf.strings.unicode_transcode(texts, "UTF-8", "UTF-8", errors="replace")


def _first(level: str) -> int:
    """The id of the first piece of a vocabulary of characters or words."""
    return len(_SPECIAL) + (_BYTES if level == "char" else 0)


def _plain(piece: bytes) -> bytes:
    """The text of a subword: ▁ stands for a space, <0x41> for a byte."""
    if len(piece) == 6 and piece.startswith(b"<0x"):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁".encode(), b" ")


__all__ = ["END", "LEVELS", "NEWLINE", "PAD", "UNKNOWN", "Tokens", "learn", "split_words", "valid_utf8"]
