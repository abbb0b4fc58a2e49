"""A text as a file of token ids, written once into the cache and mapped into memory: it may be larger than memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.apps.language.tokens import END, Tokens
from rnnapps.cli.output import say
from rnnapps.datasets import Block, Corpus, DataError, batched
from rnnapps.datasets.lines import foreign_byte
from rnnapps.files import replacing, write_json
from rnnapps.native.cache import cache_folder, prepare_kept, unwritable
from rnnapps.progress_bar import progress_bar

_LARGE = 8 << 20  # bytes of text


class TokenFile(NamedTuple):
    """The tokens of a text.

    Attributes:
        ids: Unsigned integers (tokens,), mapped from a file. Each document ends with `END`.
        characters: Number of characters of the text.
        words: Number of words, separated by white space.
    """

    ids: np.ndarray
    characters: int
    words: int


def tokenized(tokens: Tokens, corpus: Corpus) -> TokenFile:
    """The tokens of a text: from the cache, or written there now.

    Args:
        tokens: The vocabulary.
        corpus: The text.

    Raises:
        DataError: The text has fewer than two tokens.
        UserError: The cache cannot be written.
    """
    key = json.dumps([3, corpus.identity, tokens.level, tokens.normalised, tokens.vocabulary]).encode()
    folder = cache_folder() / "tokens" / hashlib.sha256(key).hexdigest()[:24]
    description = folder / "description.json"
    if not description.exists():
        prepare_kept(folder.parent)
        try:
            with replacing(folder) as partial:
                partial.mkdir()
                _write(tokens, corpus, partial)
        except OSError as error:
            raise unwritable(folder, error) from error
    about = json.loads(description.read_text(encoding="utf-8"))
    if about["tokens"] < 2:
        own = f", or name a text with --{corpus.split}" if corpus.split in ("validation", "test") else ""
        raise DataError(f"{corpus.name}: the {corpus.split} text is too short; give more text{own}")
    if about["foreign"]:
        what = f"bytes that are not UTF-8, the first {about['foreign']}"
        say(f"warning: {corpus.name}: the {corpus.split} text has {what}; save it as UTF-8", err=True)
    ids = np.memmap(folder / "ids", dtype=about["dtype"], mode="r")
    return TokenFile(ids, about["characters"], about["words"])


def _write(tokens: Tokens, corpus: Corpus, folder: Path) -> None:
    dtype = np.dtype(np.uint16 if tokens.size <= 2**16 else np.uint32)
    encode = tf.function(tokens.encode, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    count = characters = words = 0
    foreign = ""
    with open(folder / "ids", "wb") as file:
        for blocks in batched(_shown(corpus)):
            encoded = encode(tf.constant([block.text for block in blocks]))
            ends = encoded.row_splits.numpy()[1:][[block.last for block in blocks]]
            ids = np.insert(encoded.values.numpy().astype(dtype), ends, END)
            ids.tofile(file)
            count += len(ids)
            for block in blocks:
                text, problem = _decoded(block.text)
                characters += len(text)
                foreign = foreign or problem
            words += sum(len(block.text.split()) for block in blocks)
    write_json(
        folder / "description.json",
        {
            "tokens": count,
            "characters": characters,
            "words": words,
            "foreign": foreign,
            "dtype": dtype.name,
            "text": corpus.name,
        },
    )


def _decoded(text: bytes) -> tuple[str, str]:
    """A text, with replacement characters for bytes that are not UTF-8, and the name of the first of these, or ""."""
    try:
        return text.decode(), ""
    except UnicodeDecodeError as error:
        return text.decode(errors="replace"), foreign_byte(error)


def _shown(corpus: Corpus) -> Iterable[Block]:
    """The blocks of a text, with a progress bar if the text is large."""
    if corpus.bytes < _LARGE:
        yield from corpus.read()
        return
    with progress_bar(f"tokens of the {corpus.split} text", corpus.bytes) as advance:
        for block in corpus.read():
            yield block
            advance(len(block.text))


def lines(ids: np.ndarray, breaks: tuple[int, ...], longest: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each line of a text, in tokens; a line longer than `longest` is split."""
    ends = np.flatnonzero(np.isin(ids, breaks)) + 1
    begin = 0
    for end in [*ends.tolist(), len(ids)]:
        for start in range(begin, end, longest):
            yield start, min(start + longest, end)
        begin = end
