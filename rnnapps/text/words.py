"""Words as ids: the same normalisation and vocabulary in training and in an exported graph."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain, islice

import keras
import tensorflow as tf

# Markup such as <br /> or </i>, but neither "a < b" nor "<3".
_MARKUP = r"<[/!]?[a-zA-Z][^<>]*>"
# Punctuation with a meaning of its own, symbols (emoji among them), and scripts written without spaces.
_ALONE = r"([!?.,;:()\"“”…。、！？]|\p{So}|\p{Sk}|\p{Han}|\p{Hiragana}|\p{Katakana}|\p{Thai})"
_BATCH = 2048


@keras.saving.register_keras_serializable("rnnapps")
def normalise(text: tf.Tensor) -> tf.Tensor:
    """Lower-cases, removes markup, and separates words, punctuation, symbols and ideographs by one space.

    Bytes that are not UTF-8 and control characters (NUL among them) count as spaces, so any string is valid input.

    Args:
        text: String tensor of any shape, UTF-8.

    Returns:
        String tensor of the same shape; its words are separated by single spaces.

    Example:
        >>> normalise(tf.constant("Great<br />film, isn't it?!")).numpy().decode()
        "great film , isn't it ? !"
    """
    # U+0020 replaces whatever is not text, so that it separates words.
    text = tf.strings.unicode_transcode(
        text, "UTF-8", "UTF-8", errors="replace", replacement_char=32, replace_control_characters=True
    )
    text = tf.strings.regex_replace(text, _MARKUP, " ")
    text = tf.strings.lower(text, encoding="utf-8")
    text = tf.strings.regex_replace(text, _ALONE, r" \1 ")
    return tf.strings.strip(tf.strings.regex_replace(text, r"[\s\p{Z}]+", " "))


def vocabulary(texts: Iterable[str | bytes], size: int) -> list[str]:
    """The most frequent words of some texts, the most frequent first; ties in alphabetical order.

    Args:
        texts: The training texts; each is normalised first.
        size: Largest number of words to keep.

    Returns:
        At most `size` words, without the ids for padding and for unknown words, which `word_vectorizer` adds.

    Example:
        >>> vocabulary(["A good film", "not a good one"], size=2)
        ['a', 'good']
    """
    counts: Counter[bytes] = Counter()
    remaining = iter(texts)
    while batch := list(islice(remaining, _BATCH)):
        counts.update(chain.from_iterable(text.split() for text in normalise(tf.constant(batch)).numpy()))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [word.decode() for word, _ in ranked[:size]]


def word_vectorizer(words: Sequence[str]) -> keras.layers.TextVectorization:
    """A layer from strings to ragged word ids: 1 for an unknown word, 2 and up for `words`; 0 is kept for padding.

    Args:
        words: The vocabulary, as `vocabulary` returns it.

    Raises:
        ValueError: There are no words.

    Returns:
        A `keras.layers.TextVectorization` whose output is a ragged int64 tensor `(batch, time)`.

    Example:
        >>> word_vectorizer(["good", "film"])(tf.constant(["Good FILM!", ""])).to_list()
        [[2, 3, 1], []]
    """
    if not words:
        raise ValueError("`words` is empty: the texts that a vocabulary is made of have no words")
    return keras.layers.TextVectorization(
        standardize=normalise, split="whitespace", ragged=True, vocabulary=list(words), name="words"
    )
