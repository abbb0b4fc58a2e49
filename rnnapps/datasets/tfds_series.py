"""Time series of a named set, which TFDS prepares."""

from __future__ import annotations

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.frequency import parsed
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import SeriesSource
from rnnapps.datasets.tfds_builders import prepared
from rnnapps.datasets.time_series import OneSeries, TimeSeries

_FEATURES = {"series", "start", "frequency", "values"}


def read_tfds_series(source: SeriesSource) -> TimeSeries:
    """Reads a set of series whose features are `series`, `start`, `frequency` and `values`.

    Raises:
        DataError: There is no such set, it cannot be prepared, or its features are others.
    """
    builder = prepared(source.dataset, source.data_dir, "series", lambda builder: _check(builder, source.dataset))
    series, frequencies = [], set()
    for example in builder.as_dataset(split="train", shuffle_files=False).as_numpy_iterator():
        nothing = np.zeros((len(example["values"]), 0), np.float32)
        start = np.datetime64(example["start"].decode(), "s")
        series.append(OneSeries(example["series"].decode(), example["values"], start, nothing, nothing))
        frequencies.add(example["frequency"].decode())
    (name,) = frequencies
    frequency = parsed(name)
    return TimeSeries(
        tuple(sorted(series, key=lambda one: one.id)),
        frequency,
        source.season or frequency.season,
        source.horizon or frequency.horizon,
        source.dataset,
    )


def _check(builder: tfds.core.DatasetBuilder, name: str) -> None:
    features = set(builder.info.features or {})
    if not features >= _FEATURES:
        raise DataError(f"{name}: has the features {', '.join(sorted(features))}; save its series as a table instead")
