"""Running text that TFDS prepares."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import tensorflow_datasets as tfds

from rnnapps.datasets.corpora import Corpus, chosen, of_documents
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import CorpusSource
from rnnapps.datasets.splits import SPLITS
from rnnapps.datasets.tfds_builders import feature_named, is_text, prepared


def read_tfds_corpora(source: CorpusSource, splits: Sequence[str] | None) -> dict[str, Corpus]:
    """Reads splits of a named set or a TFDS set with text. An example is a document.

    Args:
        source: Which set, and its feature.
        splits: The splits wanted; None for all.

    Raises:
        DataError: There is no such set, it cannot be prepared, or it has no text.
    """

    def text(builder: tfds.core.DatasetBuilder) -> str:
        return feature_named(builder, source.text_column, "text", is_text, "sets with text")

    builder = prepared(source.dataset, source.data_dir, "corpora", text)
    feature = text(builder)
    present = list(builder.info.splits)
    if "train" not in present:
        raise DataError(f"{source.dataset}: has no train split, only {', '.join(present)}")
    version = hashlib.sha256(f"{builder.info.full_name} {feature}".encode()).hexdigest()
    parts = {}
    measured = _measured(present, SPLITS if splits is None else splits)
    for split in (split for split in SPLITS if split in present):
        documents = _documents(builder, split, feature)
        size = sum(map(len, documents())) if split in measured else 0
        parts[split] = Corpus(of_documents(documents), size, f"{version} {split}", source.dataset, split)
    return chosen(parts, splits, source)


def _measured(present: Sequence[str], wanted: Sequence[str]) -> set[str]:
    """The splits whose size must be known, which takes reading them: those wanted, and those that stand for them."""
    validates = {"validation"} if "validation" in present else {"train"}
    return {*wanted, *(validates if not {"validation", "test"} <= set(present) else ())}


def _documents(builder: tfds.core.DatasetBuilder, split: str, feature: str) -> Callable[[], Iterator[bytes]]:
    def documents() -> Iterator[bytes]:
        examples = builder.as_dataset(split=split, shuffle_files=False)
        texts = examples.map(lambda example: example[feature], num_parallel_calls=1, deterministic=True)
        for batch in texts.batch(256).as_numpy_iterator():
            yield from batch

    return documents
