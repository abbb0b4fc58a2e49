"""The one door to data: a source in, splits of lists and arrays out, and the lines that say what was loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

from rnnapps.datasets.examples import LabelledTexts, Pairs, Recordings, Split
from rnnapps.datasets.rejected import skipped
from rnnapps.datasets.sources import PairSource, RecordingSource, Source, TextSource


@overload
def load_splits(source: TextSource, splits: Sequence[str] | None = None) -> dict[str, LabelledTexts]: ...
@overload
def load_splits(source: PairSource, splits: Sequence[str] | None = None) -> dict[str, Pairs]: ...
@overload
def load_splits(source: RecordingSource, splits: Sequence[str] | None = None) -> dict[str, Recordings]: ...


def load_splits(source: Source, splits: Sequence[str] | None = None) -> dict[str, Split]:
    """Loads splits of a data set. Every file is read once.

    A validation or test split that the data do not name (by a folder, a file, a list or a column `split`) is held out
    from the rest: a tenth of it, fixed by the seed.

    Args:
        source: Where the data are: a `TextSource`, a `PairSource` or a `RecordingSource`.
        splits: The splits wanted, of "train", "validation" and "test". `["all"]` is the whole of one's own data as one
            split. None: all splits that the data have, which are these three except where one's own sentence pairs
            have a validation part and no test part, or where TFDS keeps the labels of the test split back.

    Returns:
        The splits by name, in the order train, validation, test.

    Raises:
        DataError: A mistake in the data or in the source, in one line that says how to fix it.

    Example:
        >>> train = load_splits(TextSource("movie_sentences"), ["train"])["train"]
        >>> len(train), train.classes
        (6830, ('negative', 'positive'))
    """
    raise NotImplementedError


def summary(splits: Iterable[Split]) -> Iterator[str]:
    """Lines that say what was loaded, which rows or files were skipped, and what else is worth knowing.

    Args:
        splits: Splits of one data set.
    """
    raise NotImplementedError
