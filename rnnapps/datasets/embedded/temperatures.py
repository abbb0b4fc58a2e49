"""Temperatures that come with a package index: a TFDS builder over two CSV files in the PyPI package `vega_datasets`.

The files hold, for each hour of a year, the usual temperature there (the "climate normal" of 1981 to 2010), so these
series are smoother than weather. The package's Python code is never imported.
"""

import csv
import hashlib
import importlib.metadata
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.rejected import DataError
from rnnapps.extras import missing_package

_PACKAGE, _VERSION = "vega_datasets", "0.9.0"
_FILES = {
    "San Francisco": ("sf-temps.csv", "3f91699707cfed43ef551394bebef4c2ebe5505157b9be7bff9558eea2fbaaec"),
    "Seattle": ("seattle-temps.csv", "c220666521ff4bec4ffb6f0d9acfdc5c1056564b1aad6f78d3b06aa0a0c8b085"),
}
START = np.datetime64("2010-01-01T00:00:00")


class Temperatures(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The usual temperature of each of the 8,760 hours of a year in two cities, in degrees Fahrenheit."""

    name = "temperatures"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Two series of 8,760 hours; the hour that summer time skips is missing."}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=(
                "Hourly normals of the temperature in Seattle and San Francisco, 1981 to 2010, dated 2010, in degrees"
                " Fahrenheit. Averages over thirty years are far smoother than weather: figures on them say that a"
                " pipeline works, not how well a model forecasts."
            ),
            features=tfds.features.FeaturesDict(
                {
                    "series": tfds.features.Text(),
                    "start": tfds.features.Text(),
                    "frequency": tfds.features.Text(),
                    "values": tfds.features.Tensor(shape=(None,), dtype=np.float32),
                }
            ),
            homepage="https://github.com/altair-viz/vega_datasets",
            license="The package vega_datasets is under the MIT licence; NOAA's normals are in the public domain.",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        return {"train": self._generate_examples()}

    def _generate_examples(self) -> Iterator[tuple[str, dict]]:
        for city in _FILES:
            values = hourly(city)
            yield city, {"series": city, "start": str(START), "frequency": "h", "values": values}


def hourly(city: str) -> np.ndarray:
    """The temperatures of a city, float32 (8760,); not-a-number in the hour that summer time skips."""
    values = np.full(8760, np.nan, np.float32)
    with open(_path(city), encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            time = np.datetime64(row["date"].replace("/", "-").replace(" ", "T"), "s")
            values[int((time - START) // np.timedelta64(1, "h"))] = float(row["temp"])
    return values


def _path(city: str) -> pathlib.Path:
    """A CSV file of the installed package, checked by its SHA-256."""
    name, _ = _FILES[city]
    try:
        found = importlib.metadata.distribution(_PACKAGE).locate_file(f"vega_datasets/_data/{name}")
        path = pathlib.Path(str(found))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError):
        raise missing_package("vega-datasets", extra="demo", purpose="this data set") from None
    if digest != _FILES[city][1]:
        raise DataError(f"{path}: not the file of version {_VERSION}: pip install {_PACKAGE}=={_VERSION}")
    return path
