"""Running text that TFDS prepares."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf
import tensorflow_datasets as tfds

from rnnapps.datasets.corpora import Corpus, chosen, of_documents
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import CorpusSource
from rnnapps.datasets.splits import SPLITS
from rnnapps.datasets.tfds_builders import prepared


def read_tfds_corpora(source: CorpusSource, splits: Sequence[str] | None) -> dict[str, Corpus]:
    """Reads splits of a named set or a TFDS set with text. An example is a document.

    Args:
        source: Which set, and its feature.
        splits: The splits wanted; None for all.

    Raises:
        DataError: There is no such set, it cannot be prepared, or it has no text.
    """

    def text(builder: tfds.core.DatasetBuilder) -> str:
        features = dict(builder.info.features or {})
        found = [name for name, feature in features.items() if _is_text(feature)]
        if source.text_column in found:
            return source.text_column
        if len(found) == 1 and source.text_column == "text":
            return found[0]
        raise DataError(
            f"{source.dataset}: has no text {source.text_column!r}; "
            + (f"name one with --text-column: {', '.join(found)}" if found else "take a set with text")
        )

    builder = prepared(source.dataset, source.data_dir, "corpora", text)
    feature = text(builder)
    present = list(builder.info.splits)
    if "train" not in present:
        raise DataError(f"{source.dataset}: has no train split, only {', '.join(present)}")
    version = hashlib.sha256(f"{builder.info.full_name} {feature}".encode()).hexdigest()
    parts = {
        split: Corpus(
            of_documents(_documents(builder, split, feature)),
            _size(builder, split, feature),
            f"{version} {split}",
            source.dataset,
            split,
        )
        for split in SPLITS
        if split in present
    }
    return chosen(parts, splits, source)


def _documents(builder: tfds.core.DatasetBuilder, split: str, feature: str) -> Callable[[], Iterator[bytes]]:
    def documents() -> Iterator[bytes]:
        examples = builder.as_dataset(split=split, shuffle_files=False)
        texts = examples.map(lambda example: example[feature], num_parallel_calls=1, deterministic=True)
        for batch in texts.batch(256).as_numpy_iterator():
            yield from batch

    return documents


def _size(builder: tfds.core.DatasetBuilder, split: str, feature: str) -> int:
    return sum(map(len, _documents(builder, split, feature)()))


def _is_text(feature: tfds.features.FeatureConnector) -> bool:
    spec = feature.get_tensor_spec()
    return isinstance(spec, tf.TensorSpec) and spec.shape == () and spec.dtype == tf.string
