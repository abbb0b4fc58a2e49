"""Where the data of a task are: one dataclass for each kind of data, whose fields are options.

A source is written to `config.json`, so `evaluate` and `export` find the data that `train` used. `load_splits` reads
the data. This module imports neither TensorFlow nor NumPy: a command line must answer `--help` quickly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from rnnapps.datasets.named_sets import Kind
from rnnapps.options import inherited, option

_DATASET = "Data: a named set, a TensorFlow Datasets name, or the path of your own data."
QUOTINGS = ("standard", "none")
_WITHOUT_TFDS = "Data: a named set, or the path of your own data."


@dataclass(frozen=True)
class TextSource:
    """Where labelled texts are.

    Attributes:
        dataset: One of, in this order: a named set (`movie_reviews`, `movie_sentences`); a file or folder that exists
            (`./movie_reviews` for a folder that is called like a named set), see
            `rnnapps.datasets.labelled_texts` for the layouts; a TFDS name such as `imdb_reviews` or `glue/sst2`.
        data_dir: Where TFDS keeps prepared sets. None stands for `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.
        seed: Decides which examples are held out where the data do not say so themselves.
        strict: Whether a bad row is an error. Otherwise it is skipped and listed in `rejected`.
        text_column: The column, key or feature of the text.
        label_column: The column, key or feature of the label.
        quoting: "standard": a field of a table may be in double quotes. "none": quotes are ordinary characters and
            each line is a row.
    """

    kind: ClassVar[Kind] = "texts"

    dataset: str = option("movie_reviews", _DATASET, metavar="NAME|PATH", data=True)
    data_dir: Path | None = option(
        None, "Folder of prepared data sets.", metavar="FOLDER", missing="~/tensorflow_datasets", fixed=True
    )
    seed: int = option(
        0,
        "Seed of all random choices, including which examples are held out.",
        minimum=0,
        maximum=2**31 - 1,
        fixed=True,
    )
    strict: bool = option(False, "Stop at the first bad row or file instead of skipping it.")
    text_column: str = option("text", "Column or key of the text in your own data.")
    label_column: str = option("label", "Column or key of the label in your own data.")
    quoting: str = option(
        "standard",
        "Quotes in your own tables: standard, or none where they are ordinary characters.",
        choices=QUOTINGS,
    )


@dataclass(frozen=True)
class PairSource:
    """Where sentence pairs are: two files of lines by `source` and `target`, or anything else by `dataset`.

    A `dataset` that a subclass declares as its default gives way to files; any other one excludes them.

    Attributes:
        dataset: One of, in this order: a named set (`expressions`, `expressions/en-fr`, `expressions/en-es`); a `.tsv`
            file with a pair on each line, or a folder with such files called `train`, `validation` and `test`; a TFDS
            name such as `ted_hrlr_translate/pt_to_en`. None where `source` and `target` are given.
        source: A file with one sentence on each line.
        target: A file with the translation of each line of `source`.
        validation_source: The same for the validation split. There is no test split then.
        validation_target: The translations of `validation_source`.
        data_dir, seed, strict: As in `TextSource`.
    """

    kind: ClassVar[Kind] = "pairs"

    dataset: str | None = option(None, _DATASET, metavar="NAME|PATH", data=True)
    source: Path | None = option(
        None, "File of sentences, one per line, instead of --dataset.", metavar="FILE", data=True
    )
    target: Path | None = option(None, "File of their translations, line by line.", metavar="FILE", located=True)
    validation_source: Path | None = option(
        None,
        "File of sentences to validate on.",
        metavar="FILE",
        missing="a part of --source is held out",
        located=True,
    )
    validation_target: Path | None = option(
        None, "File of their translations, line by line.", metavar="FILE", located=True
    )
    data_dir: Path | None = inherited(TextSource, "data_dir", None)
    seed: int = inherited(TextSource, "seed", 0)
    strict: bool = inherited(TextSource, "strict", False)

    @property
    def split_of_other_data(self) -> str:
        """What `evaluate` reads of data that it is given: all of two files, and the test split of anything else."""
        return "all" if self.source is not None and self.validation_source is None else "test"


@dataclass(frozen=True)
class RecordingSource:
    """Where labelled recordings are.

    Attributes:
        dataset: One of, in this order: a named set (`spoken_words`, `spoken_vocabulary`); a folder or manifest of your
            own, see `rnnapps.datasets.recordings` for the layouts; a TFDS name such as `speech_commands`.
        sample_rate: In Hz. All recordings are resampled to it.
        data_dir, seed, strict: As in `TextSource`.
        split_by: A regular expression that is searched in the path of a recording below the folder of the data.
            Recordings with the same group 1 (or the same match, if the expression has no group) go to the same split.
            None: speakers are recognised in the file names where that is possible.
        test_files: A regular expression. The recordings whose path contains a match are the test split.
    """

    kind: ClassVar[Kind] = "recordings"

    dataset: str = option("spoken_words", _DATASET, metavar="NAME|PATH", data=True)
    sample_rate: int = option(
        16_000,
        "Sample rate in Hz; recordings are resampled to it.",
        minimum=4000,
        maximum=96_000,
        metavar="HZ",
        fixed=True,
    )
    data_dir: Path | None = inherited(TextSource, "data_dir", None)
    seed: int = inherited(TextSource, "seed", 0)
    strict: bool = inherited(TextSource, "strict", False)
    split_by: str | None = option(
        None,
        "Regular expression: recordings with the same match (or group 1) in their path go to the same split.",
        metavar="PATTERN",
        missing="the speaker, where file names or a manifest give it",
        located=True,
    )
    test_files: str | None = option(
        None,
        "Regular expression: recordings whose path contains a match form the test split.",
        metavar="PATTERN",
        located=True,
    )


@dataclass(frozen=True)
class TranscriptSource:
    """Where recordings with their texts are, and how the texts are written.

    Attributes:
        dataset: One of, in this order: a named set (`spoken_phrases`); a manifest or a folder of your own, see
            `rnnapps.datasets.transcripts` for the layouts; a TFDS name such as `librispeech`.
        sample_rate: In Hz. All recordings are resampled to it.
        data_dir, seed, strict: As in `TextSource`.
        case, punctuation, digits, language, alphabet: What is done to the texts, see
            `rnnapps.datasets.normalisation.Normalisation`.
    """

    kind: ClassVar[Kind] = "transcripts"

    dataset: str = option("spoken_phrases", _DATASET, metavar="NAME|PATH", data=True)
    sample_rate: int = inherited(RecordingSource, "sample_rate", 16_000)
    data_dir: Path | None = inherited(TextSource, "data_dir", None)
    seed: int = inherited(TextSource, "seed", 0)
    strict: bool = inherited(TextSource, "strict", False)
    case: str = option("lower", "Case of the texts.", choices=("lower", "upper", "keep"), fixed=True)
    punctuation: str = option(
        "drop", "Punctuation of the texts; apostrophes within words stay.", choices=("drop", "keep"), fixed=True
    )
    digits: str = option(
        "spell", "Digits of the texts: spelt as words, or kept.", choices=("spell", "keep"), fixed=True
    )
    language: str = option("en", "Language of spelt numbers, a code of num2words.", metavar="CODE", fixed=True)
    alphabet: str | None = option(
        None,
        "Characters that a text may have; rows with others are skipped.",
        metavar="CHARACTERS",
        missing="all letters and the apostrophe, and digits and punctuation where kept",
        fixed=True,
    )


@dataclass(frozen=True)
class CorpusSource:
    """Where running text is.

    Attributes:
        dataset: One of, in this order: a named set (`movie_reviews`, `movie_sentences`), whose labels are not read; a
            file or folder that exists, or several with commas between them, see `rnnapps.datasets.corpora`; a TFDS name
            such as `tiny_shakespeare` or `wiki40b/en`.
        validation: A file or folder to validate on. None: the last tenth of the text, unless the data say.
        test: A file or folder to test on. None: the validation text, unless the data say.
        megabytes: How much of the training text to use, from its beginning, and a tenth as much of the text to validate
            and of that to test on; None for all.
        data_dir, seed: As in `TextSource`.
        text_column: The feature of a TFDS set.
    """

    kind: ClassVar[Kind] = "corpora"

    dataset: str = option(
        "movie_reviews",
        "Data: a file or folder of text, several with commas between them, a named set, or a TensorFlow Datasets name.",
        metavar="NAME|PATH",
        data=True,
    )
    validation: Path | None = option(
        None, "Text to validate on.", metavar="PATH", missing="the last tenth of the text", located=True
    )
    test: Path | None = option(
        None, "Text to test on.", metavar="PATH", missing="the data set's own, or the validation text", located=True
    )
    megabytes: float | None = option(
        None,
        "How much training text to use, and a tenth as much for validation and for test.",
        above=0,
        missing="all of it",
        located=True,
    )
    data_dir: Path | None = inherited(TextSource, "data_dir", None)
    seed: int = inherited(TextSource, "seed", 0, help="Seed of all random choices.")
    text_column: str = option("text", "Feature of a TensorFlow Datasets set that holds the text.")


@dataclass(frozen=True)
class SeriesSource:
    """Where time series are.

    Attributes:
        dataset: A named set (`temperatures`), or a file of your own: CSV, TSV, JSON lines or Parquet, see
            `rnnapps.datasets.series_tables` for the layouts.
        test: A file of the same layout with the values that follow those of `dataset`, to test on.
        layout: How the file holds the series: "long" has a row for each value, "rows" a series in each row, "columns" a
            series in each column. "auto" decides by the columns.
        series_column, time_column, value_column: The columns of a long table.
        known: Columns of a long table with numbers that are known ahead, such as a price or a holiday.
        past: Columns with numbers that are known only when the value is.
        static: Columns with a category of the series, such as a region.
        frequency: The step, as pandas writes it: "h", "15min", "D", "W", "MS", "B". None: inferred from the times.
        season: Steps in a season; None: the usual one of the frequency.
        horizon: Steps to forecast; None: the usual number of the frequency.
        windows: How many horizons at the end of each series are for testing, and as many before them for validation.
            None: a tenth of the series each.
        data_dir, seed, strict: As in `TextSource`.
    """

    kind: ClassVar[Kind] = "series"

    dataset: str = option("temperatures", _WITHOUT_TFDS, metavar="NAME|PATH", data=True)
    test: Path | None = option(
        None,
        "File with the values that follow those of --dataset, to test on.",
        metavar="FILE",
        missing="the last values of --dataset",
        located=True,
    )
    layout: str = option(
        "auto",
        "Tables: a row for each value (long), a series in each row, or a series in each column.",
        choices=("auto", "long", "rows", "columns"),
        located=True,
    )
    series_column: str = option("series", "Long tables: column of the name of the series.")
    time_column: str = option("time", "Column of the time.")
    value_column: str = option("value", "Long tables: column of the value.")
    known: tuple[str, ...] = option(
        (), "Long tables: columns of numbers known ahead, such as prices.", metavar="COLUMNS", fixed=True
    )
    past: tuple[str, ...] = option(
        (), "Long tables: columns of numbers known only when the value is.", metavar="COLUMNS", fixed=True
    )
    static: tuple[str, ...] = option(
        (), "Long tables: columns of a category of the series, such as a region.", metavar="COLUMNS", fixed=True
    )
    frequency: str | None = option(
        None, "Step of the series: h, 15min, D, W, MS, B, and so on.", missing="inferred from the times", fixed=True
    )
    season: int | None = option(
        None,
        "Steps in a season.",
        minimum=1,
        missing="24 for hourly data, 7 for daily, 12 for monthly, ...",
        fixed=True,
    )
    horizon: int | None = option(
        None, "Steps to forecast.", minimum=1, missing="24 hours, 14 days, 12 months, ...", fixed=True
    )
    windows: int | None = option(
        None,
        "Number of horizons at the end of each series to test on, and as many before them to validate on.",
        minimum=1,
        missing="a tenth of the series",
    )
    data_dir: Path | None = inherited(TextSource, "data_dir", None)
    seed: int = inherited(TextSource, "seed", 0, help="Seed of all random choices.")
    strict: bool = inherited(TextSource, "strict", False)


@dataclass(frozen=True)
class MusicSource:
    """Where pieces of music are.

    Attributes:
        dataset: A named set (`chorales`), or a file or folder of your own: MIDI, ABC, MusicXML, or lists of time steps
            in JSON, see `rnnapps.datasets.music_files` for the layouts.
        step: Length of a time step in quarter notes.
        data_dir, seed, strict: As in `TextSource`.
    """

    kind: ClassVar[Kind] = "music"

    dataset: str = option(
        "chorales",
        "Data: a named set, or a file or folder of MIDI, ABC or MusicXML, or time steps in JSON.",
        metavar="NAME|PATH",
        data=True,
    )
    step: float = option(
        1.0, "Length of a time step in quarter notes.", minimum=0.125, maximum=4, metavar="QUARTERS", fixed=True
    )
    data_dir: Path | None = inherited(TextSource, "data_dir", None)
    seed: int = inherited(TextSource, "seed", 0)
    strict: bool = inherited(TextSource, "strict", False)


@dataclass(frozen=True)
class VideoSource:
    """Where clips of video are.

    Attributes:
        dataset: A named set (`moving_digits`), or a folder or manifest of your own, see `rnnapps.datasets.clip_files`
            for the layouts.
        task: What to learn from a clip: its class ("actions") or its sentence ("captions"). None: the class, unless the
            data have sentences only.
        fps: Frames per second that are read from a video.
        size: Height and width in pixels that frames are scaled to.
        max_frames: Maximum frames per clip; of a longer video, the first are read.
        data_dir, seed, strict: As in `TextSource`.
    """

    kind: ClassVar[Kind] = "clips"

    dataset: str = option("moving_digits", _WITHOUT_TFDS, metavar="NAME|PATH", data=True)
    task: str | None = option(
        None,
        "What to learn: a label for each clip, or a sentence.",
        choices=("actions", "captions"),
        missing="actions where the data have labels, otherwise captions",
        fixed=True,
    )
    fps: float = option(8.0, "Frames per second to read from a video.", above=0, maximum=240, metavar="FPS", fixed=True)
    size: int = option(
        32, "Height and width to scale frames to; 64 to 112 for real video.", minimum=8, maximum=512, metavar="PIXELS",
        fixed=True,
    )  # fmt: skip
    max_frames: int = option(
        256, "Maximum frames per clip; of a longer video, the first are read.", minimum=1, metavar="FRAMES", fixed=True
    )
    data_dir: Path | None = inherited(TextSource, "data_dir", None)
    seed: int = inherited(TextSource, "seed", 0)
    strict: bool = inherited(TextSource, "strict", False)


Source = (
    TextSource
    | PairSource
    | RecordingSource
    | TranscriptSource
    | CorpusSource
    | SeriesSource
    | MusicSource
    | VideoSource
)
AnySource = TypeVar(
    "AnySource",
    TextSource,
    PairSource,
    RecordingSource,
    TranscriptSource,
    CorpusSource,
    SeriesSource,
    MusicSource,
    VideoSource,
)
