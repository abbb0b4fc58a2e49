"""A text as a file of token ids, written once into the cache and mapped into memory: it may be larger than memory."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.apps.language.tokens import END, Tokens
from rnnapps.datasets import Corpus, DataError
from rnnapps.files import replacing, write_json
from rnnapps.native.cache import cache_folder


class TokenFile(NamedTuple):
    """The tokens of a text.

    Attributes:
        ids: Unsigned integers (tokens,), mapped from a file. Each document ends with `END`.
        characters: Number of characters of the text.
        words: Number of words, as white space divides them.
    """

    ids: np.ndarray
    characters: int
    words: int


def tokenized(tokens: Tokens, corpus: Corpus, progress: Callable[[int], None] | None = None) -> TokenFile:
    """The tokens of a text: from the cache, or written there now.

    Args:
        tokens: The vocabulary.
        corpus: The text.
        progress: Called with the number of bytes of text done, again and again.

    Raises:
        DataError: The text has fewer than two tokens.
    """
    key = json.dumps([1, corpus.identity, tokens.level, tokens.vocabulary]).encode()
    folder = cache_folder() / "tokens" / hashlib.sha256(key).hexdigest()[:24]
    description = folder / "description.json"
    if not description.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder) as partial:
            partial.mkdir()
            _write(tokens, corpus, partial, progress or (lambda done: None))
    about = json.loads(description.read_text(encoding="utf-8"))
    if about["tokens"] < 2:
        raise DataError(f"{corpus.name}: the {corpus.split} text has {about['tokens']} tokens, and two are needed")
    ids = np.memmap(folder / "ids", dtype=about["dtype"], mode="r")
    return TokenFile(ids, about["characters"], about["words"])


def _write(tokens: Tokens, corpus: Corpus, folder: Path, progress: Callable[[int], None]) -> None:
    dtype = np.dtype(np.uint16 if tokens.size <= 2**16 else np.uint32)
    encode = tf.function(
        lambda text: tokens.encode(text[None]).values, input_signature=[tf.TensorSpec([], tf.string)], autograph=False
    )
    done = count = characters = words = 0
    with open(folder / "ids", "wb") as file:
        for block in corpus.read():
            ids = encode(tf.constant(block.text)).numpy().astype(dtype)
            if block.last:
                ids = np.append(ids, dtype.type(END))
            ids.tofile(file)
            done += len(block.text)
            count += len(ids)
            characters += len(block.text.decode("utf-8", errors="replace"))
            words += len(block.text.split())
            progress(done)
    write_json(
        folder / "description.json",
        {"tokens": count, "characters": characters, "words": words, "dtype": dtype.name, "text": corpus.name},
    )


def lines(ids: np.ndarray, breaks: tuple[int, ...], longest: int) -> Iterator[tuple[int, int]]:
    """Begin and end of each line of a text, in tokens; a line longer than `longest` is several."""
    ends = np.flatnonzero(np.isin(ids, breaks)) + 1
    begin = 0
    for end in [*ends.tolist(), len(ids)]:
        for start in range(begin, end, longest):
            yield start, min(start + longest, end)
        begin = end
