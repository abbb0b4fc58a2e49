"""Pretrained word vectors: word2vec, GloVe and fastText files."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnnapps.errors import UserError
from rnnapps.extras import from_extra
from rnnapps.files import opened
from rnnapps.terminal import reason

_FASTTEXT = (793712314).to_bytes(4, "little")  # how a fastText model begins


class WordVectors(NamedTuple):
    """The vectors of some words.

    Attributes:
        vectors: Float32 `(words, width)`, zeros for a word without a vector.
        known: Bool `(words,)`: which words have one.
    """

    vectors: np.ndarray
    known: np.ndarray


def read_vectors(file: Path, words: Sequence[str]) -> WordVectors:
    """Reads the vectors of some words; a word that has none is looked up capitalised, then in capitals.

    Args:
        file: word2vec (text or binary), GloVe (text), fastText (`.vec` as text, or a model `.bin`, which also makes
            vectors for words that it has not seen); compressed with gzip, too, if the name ends in `.gz`.
        words: The words.

    Raises:
        UserError: The file is missing or in none of these formats, or gensim is not installed.
    """
    forms = [(word, word.capitalize(), word.upper()) for word in words]
    found = _keyed_vectors(file, {form for word in forms for form in word})
    vectors = np.zeros((len(words), found.vector_size), np.float32)
    known = np.zeros(len(words), bool)
    for number, word in enumerate(words):
        for form in forms[number]:
            if form in found.key_to_index:
                vectors[number], known[number] = found[form], True
                break
        else:
            if hasattr(found, "vectors_ngrams"):  # fastText: the mean of the vectors of its parts
                vectors[number] = found[word]
                known[number] = bool(vectors[number].any())
    if not np.isfinite(vectors).all():
        raise UserError(f"{file}: some vectors have numbers that are not finite; use another file")
    return WordVectors(vectors, known)


def _keyed_vectors(file: Path, wanted: Collection[str]) -> Any:
    """The file's vectors as gensim holds them: those of the wanted words at least."""
    if not file.is_file():
        raise UserError(f"no such file: {file}; name one with vectors of word2vec, GloVe or fastText")
    gensim = from_extra("gensim.models", extra="embeddings", purpose="--embeddings")
    logging.getLogger("gensim").setLevel(logging.ERROR)
    try:
        with opened(file) as content:
            begin = content.readline(1 << 16)
        if not begin:
            raise ValueError("it is empty")
        if begin.startswith(_FASTTEXT):
            return gensim.fasttext.load_facebook_vectors(str(file))
        header = begin.split()
        has_header = len(header) == 2 and all(part.isdigit() for part in header)
        if not has_header:
            return _without_header(file, wanted, gensim)
        binary = _is_binary(file, int(header[1]))
        return gensim.KeyedVectors.load_word2vec_format(str(file), binary=binary, unicode_errors="replace")
    except Exception as error:  # whatever gensim raises where a file is damaged or of another kind
        raise UserError(
            f"{file}: cannot be read as vectors of word2vec, GloVe or fastText: {reason(error)}; check the file"
        ) from None


def _without_header(file: Path, wanted: Collection[str], gensim: Any) -> Any:
    """The wanted vectors of a file such as GloVe's. gensim fails on the words with spaces that some of these have."""
    width = 0
    found: dict[str, np.ndarray] = {}
    with opened(file) as content:
        for number, line in enumerate(content, start=1):
            width = width or len(line.split()) - 1
            word, *numbers = line.rstrip().rsplit(b" ", width) if width else [line]
            if len(numbers) != width or not width:
                raise ValueError(f"line {number} has {len(numbers)} numbers, where the first has {width}")
            text = word.decode(errors="replace")
            if text in wanted or number == 1:  # which must be a vector in any case
                try:
                    found.setdefault(text, np.array(numbers).astype(np.float32))
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from None
    vectors = gensim.KeyedVectors(width)
    vectors.add_vectors(list(found), np.array(list(found.values())).reshape(-1, width))
    return vectors


def _is_binary(file: Path, width: int) -> bool:
    """Whether the line after the header is not a word and `width` numbers in text."""
    with opened(file) as content:
        content.readline()
        parts = content.readline(1 << 20).split()
    try:
        return len([float(part) for part in parts[-width:]]) != width
    except ValueError:
        return True
