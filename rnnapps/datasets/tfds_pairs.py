"""Sentence pairs that TFDS prepares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import tensorflow_datasets as tfds

from rnnapps.datasets.examples import Pairs
from rnnapps.datasets.pairs import divided, good_pairs
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import PairSource
from rnnapps.datasets.splits import SPLITS
from rnnapps.datasets.tfds_builders import parts_to_read, prepared

_BATCH = 2048


def read_tfds_pairs(source: PairSource, name: str, splits: Sequence[str] | None) -> dict[str, Pairs]:
    """Reads splits of a named set or a TFDS set of translations; nothing but what they need is decoded.

    Args:
        source: How to prepare and divide the set.
        name: The set.
        splits: The splits wanted; None for all.

    Raises:
        DataError: There is no such set, it cannot be prepared, or it is not one of translations between two languages.
    """
    splits = SPLITS if splits is None else splits
    builder = prepared(name, source.data_dir, "pairs", _languages)
    languages = _languages(builder)
    place = Path(builder.data_dir)
    read, missing = parts_to_read(builder, name, splits)
    found = {}
    for part, stands_for in read.items():
        sources: list[bytes] = []
        targets: list[bytes] = []
        for batch in builder.as_dataset(split=part, shuffle_files=False).batch(_BATCH).as_numpy_iterator():
            sources.extend(batch[languages[0]].tolist())
            targets.extend(batch[languages[1]].tolist())
        held_out = missing if part == "train" else ()
        for split, kept in divided(sources, stands_for, held_out, source.seed).items():
            chosen = compress(sources, kept), compress(targets, kept)
            good = good_pairs((place, place), *chosen, training=split == "train", strict=source.strict)
            found[split] = Pairs(good.sources, good.targets, name, split, tuple(good.rejected), languages)
    return {split: found[split] for split in splits}


def _languages(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    features = builder.info.features
    if not isinstance(features, tfds.features.Translation) or len(features) != 2:
        raise DataError(f"{builder.info.full_name}: is not a set of translations between two languages")
    source, target = builder.info.supervised_keys or tuple(features)
    return source, target
