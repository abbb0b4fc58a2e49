"""`expressions`: dates, times, numbers, prices and measures, from English to German, French or Spanish.

A TFDS builder that needs no network. References are exact by construction: the words are those of CLDR (by Babel) and
num2words. A model has to learn how they are put together, on numbers and dates that it has never seen.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import tensorflow_datasets as tfds

from rnnapps.extras import from_extra

LANGUAGES = ("de", "fr", "es")
SIZES = {"train": 18_000, "validation": 1_000, "test": 1_000}


def generate(language: str, seed: int = 0) -> Iterator[tuple[str, str]]:
    """English expressions and their translations, without end and without repeats.

    Args:
        language: The language of the translations: "de", "fr" or "es".
        seed: The same seed gives the same pairs, and the same English in all languages.

    Raises:
        UserError: The package Babel or num2words is missing.

    Example:
        >>> next(generate("de"))
        ('at least 7,451 km', 'mindestens 7.451 km')
    """
    for package in ("babel", "num2words"):
        from_extra(package, extra="demo", purpose="the data set expressions")
    from rnnapps.datasets.embedded.expression_phrases import groups

    column = 1 + LANGUAGES.index(language)
    weights = list(itertools.accumulate(group.weight for group in groups()))
    draw = random.Random(seed)
    told = set()
    while True:
        (group,) = draw.choices(groups(), cum_weights=weights)
        phrase, thing = draw.choice(group.phrases), group.draw(draw)
        source = phrase[0].format(**thing("en"))
        if source not in told:
            told.add(source)
            yield source, phrase[column].format(**thing(language))


class Expressions(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """20,000 pairs, each English expression once: 18,000 to train on, 1,000 to validate, 1,000 to test."""

    name = "expressions"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "33 kinds of expressions in 112 phrases."}  # noqa: RUF012
    BUILDER_CONFIGS = [  # noqa: RUF012
        tfds.core.BuilderConfig(name=f"en-{code}", description=f"English to {name}.")
        for code, name in zip(LANGUAGES, ("German", "French", "Spanish"), strict=True)
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        languages = tuple(self.builder_config.name.split("-"))
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Dates, times, cardinals, ordinals, prices, units and durations, in digits and in words, alone and in"
                " short phrases, made by rules from CLDR and num2words. Every reference is exact; figures on this set"
                " say that a pipeline works, not how well a model would translate people's texts."
            ),
            features=tfds.features.Translation(languages=languages),
            supervised_keys=languages,
            homepage="https://cldr.unicode.org",
            license="Made on this machine. CLDR is under the Unicode licence, num2words under the LGPL.",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        source, target = self.builder_config.name.split("-")
        pairs = generate(target)
        # Cut off one after another: TFDS reads the splits in this order.
        parts = {split: list(itertools.islice(pairs, size)) for split, size in SIZES.items()}
        return {split: self._generate_examples(part, source, target) for split, part in parts.items()}

    def _generate_examples(self, pairs: list[tuple[str, str]], source: str, target: str) -> Iterator[tuple[int, dict]]:
        for key, (text, translation) in enumerate(pairs):
            yield key, {source: text, target: translation}
