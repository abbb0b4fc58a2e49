"""Pieces of a named set of music, which TFDS prepares."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow_datasets as tfds

from rnnapps.datasets.pieces import Piece, Pieces
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import MusicSource
from rnnapps.datasets.tfds_builders import prepared

_FEATURES = {"name", "notes", "metre", "upbeat"}


def read_tfds_music(source: MusicSource, splits: Sequence[str]) -> dict[str, Pieces]:
    """Reads splits of a set whose features are `name`, `notes`, `metre` and `upbeat`.

    Raises:
        DataError: There is no such set, it cannot be prepared, or its features are others.
    """
    builder = prepared(source.dataset, source.data_dir, "music", lambda builder: _check(builder, source.dataset))
    made = {}
    for split in splits:
        examples = builder.as_dataset(split=split, shuffle_files=False).as_numpy_iterator()
        pieces = [
            Piece(one["name"].decode(), one["notes"], one["metre"].decode(), int(one["upbeat"])) for one in examples
        ]
        pieces.sort(key=lambda piece: piece.name)
        made[split] = Pieces(tuple(pieces), source.step, source.dataset, split)
    return made


def _check(builder: tfds.core.DatasetBuilder, name: str) -> None:
    features = set(builder.info.features or {})
    if not features >= _FEATURES:
        raise DataError(f"{name}: has the features {', '.join(sorted(features))}; save its music as MIDI files instead")
