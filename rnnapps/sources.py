"""Where data are: options of every kind of data set, read by `rnnapps.datasets.load_splits`. Imports no TensorFlow."""

from dataclasses import dataclass
from pathlib import Path

from rnnapps.options import option

RECORDING_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au")


@dataclass(frozen=True)
class Source:
    """What every source has."""

    data_dir: Path | None = option(
        None, "Where prepared data sets are kept.", metavar="FOLDER", missing="that of TFDS", fixed=True
    )
    strict: bool = option(False, "Stop at the first bad row or file instead of skipping and counting it.")
    seed: int = option(
        0, "Makes two runs equal: splits, weights and shuffling.", minimum=0, maximum=2**31 - 1, fixed=True
    )


@dataclass(frozen=True)
class TextSource(Source):
    """Labelled texts: a named data set, a TFDS name, or your own tables, JSON lines or folders."""

    dataset: str = option(
        "movie_reviews",
        "An embedded data set, a TFDS name, or a file or folder of yours.",
        metavar="NAME|PATH",
        located=True,
    )
    text_column: str = option("text", "Column or key of the text in your own data.")
    label_column: str = option("label", "Column or key of the label in your own data.")
    quoting: str = option(
        "standard",
        "Whether quotes in .csv and .tsv quote, or are characters like any other.",
        choices=("standard", "none"),
    )


@dataclass(frozen=True)
class PairSource(Source):
    """Sentence pairs: a named data set, a TFDS name, a table of pairs, or two files of lines."""

    dataset: str | None = option(
        None,
        "An embedded data set, a TFDS name, or a .tsv file or folder of yours.",
        metavar="NAME|PATH",
        located=True,
    )
    source: Path | None = option(
        None, "File of sentences, one a line, in place of --dataset.", metavar="FILE", located=True
    )
    target: Path | None = option(None, "File of their translations, line by line.", metavar="FILE", located=True)
    validation_source: Path | None = option(
        None,
        "File of sentences to validate on.",
        metavar="FILE",
        missing="a part of --source",
        located=True,
    )
    validation_target: Path | None = option(None, "File of their translations.", metavar="FILE", located=True)

    @property
    def default_split(self) -> str:
        """What `evaluate` reads unless it is told: all of two files, and the test split of anything else."""
        return "all" if self.source is not None and self.validation_source is None else "test"


@dataclass(frozen=True)
class RecordingSource(Source):
    """Labelled recordings: a named data set, a TFDS name, a folder per class, or a manifest."""

    dataset: str = option(
        "spoken_words",
        "An embedded data set, a TFDS name, or a folder or manifest of yours.",
        metavar="NAME|PATH",
        located=True,
    )
    sample_rate: int = option(
        16_000, "Sample rate of the model, in Hz.", minimum=4000, maximum=96_000, metavar="HZ", fixed=True
    )
    split_by: str | None = option(
        None,
        "Regular expression: recordings with the same match (or group 1) in their path stay in one split.",
        metavar="PATTERN",
        missing="the speakers, where file names tell them",
        located=True,
    )
    test_files: str | None = option(
        None,
        "Regular expression: recordings whose path matches are the test split.",
        metavar="PATTERN",
        missing="a part of the recordings",
        located=True,
    )
