"""Translation sets that TFDS prepares: its own by name, and ours, which need no network."""

from __future__ import annotations

import functools
import os
import pathlib

import tensorflow_datasets as tfds

from rnnapps.datasets.dataset import DataError
from rnnapps.datasets.embedded.expressions import LANGUAGES, Expressions
from rnnapps.datasets.parallel import carve
from rnnapps.datasets.splits import SPLITS
from rnnapps.datasets.tfds_data import prepared

EMBEDDED = {
    "expressions": functools.partial(Expressions, config=f"en-{LANGUAGES[0]}"),
    **{f"expressions/en-{code}": functools.partial(Expressions, config=f"en-{code}") for code in LANGUAGES},
}


def read_tfds(
    name: str, split: str, *, data_dir: str | os.PathLike | None, seed: int
) -> tuple[pathlib.Path, list[bytes], list[bytes], tuple[str, str]]:
    """The folder, the sources, the targets and the two languages of an embedded or TFDS set; see `load_pairs`.

    Raises:
      DataError: no such set, it cannot be prepared, or it is not one of translations between two languages.
    """
    builder = prepared(name, data_dir, EMBEDDED, kind="translation", check=_languages)
    languages = _languages(builder)
    sizes = {part: info.num_examples for part, info in builder.info.splits.items()}
    if "train" not in sizes:
        raise DataError(f"{name}: has no train split, only {', '.join(sizes)}")
    sources, targets = [], []
    examples = builder.as_dataset(split=split if split in sizes else "train", shuffle_files=False)
    for batch in examples.batch(2048).as_numpy_iterator():
        sources.extend(batch[languages[0]].tolist())
        targets.extend(batch[languages[1]].tolist())
    if split == "train" or split not in sizes:
        missing = [part for part in SPLITS if part not in sizes]
        sources, targets = carve(sources, targets, split, missing, seed)
    return pathlib.Path(builder.data_dir), sources, targets, languages


def _languages(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
    features = builder.info.features
    if not isinstance(features, tfds.features.Translation) or len(features) != 2:
        raise DataError(f"{builder.info.full_name}: is no set of translations between two languages")
    source, target = builder.info.supervised_keys or tuple(features)
    return source, target
