"""Chorales by J. S. Bach that come with a package index: a TFDS builder over MusicXML files in the package `music21`.

The music is in the public domain. music21 passes its encodings on with the permission of those who made them; here they
are read from the installed package, on the user's machine, and are no part of this project.
"""

import importlib.util
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow_datasets as tfds

from rnnapps.datasets.music_files import piece_of, read_scores
from rnnapps.datasets.splits import SPLITS, hold_out
from rnnapps.extras import missing_package

_VOICES = 4


class Chorales(tfds.core.GeneratorBasedBuilder, skip_registration=True):  # type: ignore[call-arg]
    """Chorales for four voices by J. S. Bach, in their own keys."""

    name = "chorales"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The settings of music21's corpus that have four parts."}  # noqa: RUF012

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Chorales by J. S. Bach for four voices: onset, length and pitch of every note.",
            features=tfds.features.FeaturesDict(
                {
                    "name": tfds.features.Text(),
                    "notes": tfds.features.Tensor(shape=(None, 3), dtype=np.int32),
                    "metre": tfds.features.Text(),
                    "upbeat": tfds.features.Scalar(dtype=np.int32),
                }
            ),
            homepage="https://www.music21.org",
            license="The music is in the public domain; see music21/corpus/license.txt on the encodings.",
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        files = chorale_files()
        parts = hold_out([file.stem.encode() for file in files], [0] * len(files), {"validation", "test"}, seed=0)
        return {
            split: self._generate_examples([file for file, part in zip(files, parts, strict=True) if part == number])
            for number, split in enumerate(SPLITS)
        }

    def _generate_examples(self, files: list[pathlib.Path]) -> Iterator[tuple[str, dict]]:
        for file in files:
            (score,) = read_scores(file)
            if len(score.parts) != _VOICES:
                continue
            piece = piece_of(score, file.stem)
            yield (
                file.stem,
                {"name": file.stem, "notes": piece.notes, "metre": piece.metre, "upbeat": piece.upbeat},
            )


def chorale_files() -> list[pathlib.Path]:
    """The files of the installed package that are named by number alone, without further versions of a setting."""
    found = importlib.util.find_spec("music21")
    if found is None or found.origin is None:
        raise missing_package("music21", extra="music", purpose="this data set")
    folder = pathlib.Path(found.origin).parent / "corpus" / "bach"
    files = sorted(file for file in folder.glob("bwv*.mxl") if file.stem[3:].replace(".", "").isdigit())
    if not files:
        raise missing_package("music21 with its corpus", extra="music", purpose="this data set")
    return files
