"""The data sets that have a name here: made on this machine or read from an installed package, without a download.

Imports nothing heavy: a command line lists these names in `--help`.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import tensorflow_datasets as tfds

Kind = Literal["texts", "pairs", "recordings", "transcripts", "corpora", "series", "music", "clips"]


@dataclasses.dataclass(frozen=True)
class NamedSet:
    """A data set with a name.

    Attributes:
        kind: "texts", "pairs", "recordings", "transcripts", "series", "music" or "clips". A set of texts is also a
            corpus.
        builder: Module and class of its TFDS builder.
        description: What it is, in a few words.
        sizes: The number of examples by split; series are divided in time, so each split has all of them.
        config: The configuration of the builder, if it has several.
    """

    kind: Kind
    builder: tuple[str, str]
    description: str
    sizes: Mapping[str, int]
    config: str | None = None

    def make(self, data_dir: str | None) -> tfds.core.DatasetBuilder:
        """The TFDS builder, which keeps the prepared set in `data_dir`."""
        module, name = self.builder
        configured: dict[str, Any] = {} if self.config is None else {"config": self.config}
        return getattr(importlib.import_module(module), name)(data_dir=data_dir, **configured)


def _sizes(train: int, validation: int, test: int) -> Mapping[str, int]:
    return MappingProxyType({"train": train, "validation": validation, "test": test})


def _expressions(code: str, language: str) -> NamedSet:
    return NamedSet(
        "pairs",
        ("rnnapps.datasets.embedded.expressions", "Expressions"),
        f"dates, times, numbers, prices and measures, English to {language}",
        _sizes(18_000, 1_000, 1_000),
        f"en-{code}",
    )


NAMED_SETS: Mapping[str, NamedSet] = MappingProxyType(
    {
        "movie_reviews": NamedSet(
            "texts",
            ("rnnapps.datasets.embedded.movie_reviews", "MovieReviews"),
            "film reviews from IMDB, negative or positive",
            _sizes(20_000, 2_500, 2_404),
        ),
        "movie_sentences": NamedSet(
            "texts",
            ("rnnapps.datasets.embedded.movie_reviews", "MovieSentences"),
            "sentences from film reviews on Rotten Tomatoes, negative or positive",
            _sizes(6_830, 850, 850),
        ),
        "expressions": _expressions("de", "German"),
        "expressions/en-de": _expressions("de", "German"),
        "expressions/en-fr": _expressions("fr", "French"),
        "expressions/en-es": _expressions("es", "Spanish"),
        "spoken_words": NamedSet(
            "recordings",
            ("rnnapps.datasets.embedded.spoken_words", "SpokenWords"),
            "ten spoken commands, other words and silence, in synthetic voices",
            _sizes(11_136, 960, 1_152),
        ),
        "spoken_vocabulary": NamedSet(
            "recordings",
            ("rnnapps.datasets.embedded.spoken_words", "SpokenVocabulary"),
            "sixty spoken words in synthetic voices",
            _sizes(13_920, 1_200, 1_920),
        ),
        "spoken_phrases": NamedSet(
            "transcripts",
            ("rnnapps.datasets.embedded.spoken_phrases", "SpokenPhrases"),
            "numbers, times, dates, prices and commands in synthetic voices",
            _sizes(6_000, 400, 800),
        ),
        "temperatures": NamedSet(
            "series",
            ("rnnapps.datasets.embedded.temperatures", "Temperatures"),
            "usual temperature of each hour of a year in Seattle and San Francisco",
            _sizes(2, 2, 2),
        ),
        "chorales": NamedSet(
            "music",
            ("rnnapps.datasets.embedded.chorales", "Chorales"),
            "chorales for four voices by J. S. Bach",
            _sizes(277, 36, 34),
        ),
        "moving_digits": NamedSet(
            "clips",
            ("rnnapps.datasets.embedded.moving_digits", "MovingDigits"),
            "handwritten digits that move, turn, grow, shrink and bounce",
            _sizes(6_000, 600, 1_000),
        ),
    }
)


def names(kind: Kind) -> tuple[str, ...]:
    """The names of all sets of a kind. Labelled texts without their labels are a corpus.

    Example:
        >>> names("texts")
        ('movie_reviews', 'movie_sentences')
    """
    wanted = "texts" if kind == "corpora" else kind
    return tuple(name for name, found in NAMED_SETS.items() if found.kind == wanted)
