"""Who speaks in the recordings of a TFDS set: a feature of its own, or the names of files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.speakers import Speakers, fill_splits, recognised, remarks
from rnnapps.datasets.tfds_builders import is_text

_UNKNOWN = "the set does not say who speaks, so a speaker may be in several splits"
_NAMES = ("speaker", "speaker_id", "speaker/id", "client_id", "user_id")


def speaker_feature(features: Mapping[str, tfds.features.FeatureConnector], label: str) -> str | None:
    """The feature that says who speaks, or else the one that names the file; None if there is neither.

    Args:
        features: Those of the set.
        label: The feature that is to be recognised, which may be the speaker: then nobody is kept apart.
    """
    if label in _NAMES:
        return None
    for name in _NAMES:
        if name in features:
            return name
    return next((name for name, feature in features.items() if "filename" in name and is_text(feature)), None)


def tfds_speakers(feature: str | None, values: Sequence[Any], labels: Sequence[str]) -> Speakers | None:
    """The speakers of recordings.

    Args:
        feature: What `speaker_feature` returned.
        values: Its value for each recording, as NumPy has it.
        labels: The label, or the text, of each recording.

    Returns:
        The speakers; None if they are unknown.
    """
    if feature is None:
        return None
    said = [value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value) for value in values]
    if feature in _NAMES:
        said = ["" if who == "-1" else who for who in said]  # of a ClassLabel
        # A recording of which the speaker is not known counts as one by somebody else.
        return Speakers([who or f"recording {number}" for number, who in enumerate(said)], f"the feature {feature!r}")
    return recognised(said, labels)


def divide(
    speakers: Speakers | None,
    contents: Sequence[bytes],
    labels: np.ndarray,
    missing: Sequence[str],
    seed: int,
    start: str | None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Divides the train part of a set that lacks other splits.

    Args:
        speakers, contents, labels, missing, seed: As for `fill_splits`.
        start: As for `remarks`.

    Returns:
        The split of each recording, an index into `SPLITS`, and the remarks on speakers.
    """
    parts = np.zeros(len(labels), np.int64)
    whole = fill_splits(speakers, contents, labels, parts, missing, seed)
    # Nobody looks who speaks in a split that the set has.
    whole = whole and len(missing) == 2
    return parts, tuple(remarks(speakers, parts, missing, whole=whole, unknown=_UNKNOWN, start=start))
