"""Labelled texts that TFDS prepares."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.examples import LabelledTexts
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import TextSource
from rnnapps.datasets.splits import SPLITS, hold_out
from rnnapps.datasets.tfds_builders import feature_named, is_text, parts_to_read, prepared

_BATCH = 2048
_NEEDED = "sets of labelled texts"


def read_tfds_texts(source: TextSource, splits: Sequence[str] | None) -> dict[str, LabelledTexts]:
    """Reads splits of a named set or a TFDS set of labelled texts; nothing but what they need is decoded.

    Args:
        source: Which set, and its features.
        splits: The splits wanted; None for all, except a test split whose labels are not public.

    Raises:
        DataError: There is no such set, it cannot be prepared, its features do not fit, or a split has no labels.
    """
    name = source.dataset

    def columns(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
        text = feature_named(builder, source.text_column, "text", is_text, _NEEDED)
        return text, feature_named(builder, source.label_column, "label", _is_label, _NEEDED)

    builder = prepared(name, source.data_dir, "texts", columns)
    text, label = columns(builder)
    classes = tuple(builder.info.features[label].names)
    read, missing = parts_to_read(builder, name, SPLITS if splits is None else splits)
    found: dict[str, LabelledTexts] = {}
    notes = []
    for part, stands_for in read.items():
        texts, labels = _decoded(builder, part, text, label)
        if len(labels) and labels[0] < 0:  # how TFDS marks a split whose labels are held back
            if splits is not None or part == "train":
                raise DataError(f"{name}: the labels of the {part} split are not public; use another split")
            notes.append(f"the labels of the {part} split are not public, so it is not used")
            continue
        held_out = hold_out(texts, labels, missing, source.seed) if part == "train" and missing else None
        for split in stands_for:
            chosen = np.arange(len(texts)) if held_out is None else np.flatnonzero(held_out == SPLITS.index(split))
            own = [texts[index] for index in chosen]
            found[split] = LabelledTexts(own, labels[chosen], classes, name, split)
    order = [split for split in (SPLITS if splits is None else splits) if split in found]
    return {split: dataclasses.replace(found[split], notes=tuple(notes)) for split in order}


def _decoded(builder: tfds.core.DatasetBuilder, part: str, text: str, label: str) -> tuple[list[bytes], np.ndarray]:
    examples = builder.as_dataset(split=part, shuffle_files=False)
    examples = examples.map(lambda example: (example[text], example[label]), num_parallel_calls=2, deterministic=True)
    texts: list[bytes] = []
    labels: list[np.ndarray] = [np.zeros(0, np.int64)]
    for batch_of_texts, batch_of_labels in examples.batch(_BATCH).as_numpy_iterator():
        texts.extend(batch_of_texts.tolist())
        labels.append(batch_of_labels)
    return texts, np.concatenate(labels)


def _is_label(feature: tfds.features.FeatureConnector) -> bool:
    return isinstance(feature, tfds.features.ClassLabel)
