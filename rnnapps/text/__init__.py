"""Text to numbers inside the graph, so that a model takes strings and needs no tokenizer beside it."""

from rnnapps.text.ngrams import HashedNgrams
from rnnapps.text.words import normalise, vocabulary, word_vectorizer

__all__ = ["HashedNgrams", "normalise", "vocabulary", "word_vectorizer"]
