"""Text to numbers inside the graph, so that a model takes strings and its clients need no tokenizer."""

from rnnapps.text.characters import Characters
from rnnapps.text.ngrams import HashedNgrams
from rnnapps.text.segmentations import Segmentations
from rnnapps.text.subword_pieces import SubwordPieces
from rnnapps.text.subwords import END, PAD, START, UNKNOWN, Subwords, train_subwords
from rnnapps.text.vectors import WordVectors, read_vectors
from rnnapps.text.words import normalise, vocabulary, word_vectorizer

__all__ = [
    "END",
    "PAD",
    "START",
    "UNKNOWN",
    "Characters",
    "HashedNgrams",
    "Segmentations",
    "SubwordPieces",
    "Subwords",
    "WordVectors",
    "normalise",
    "read_vectors",
    "train_subwords",
    "vocabulary",
    "word_vectorizer",
]
