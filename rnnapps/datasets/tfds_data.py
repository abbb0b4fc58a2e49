"""Text classification sets that TFDS prepares: its own by name, and ours, which need no network."""

import contextlib
import difflib
import os
import pathlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

import absl.logging
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from rnnapps.datasets.dataset import DataError, Dataset
from rnnapps.datasets.embedded.movie_reviews import MovieReviews, MovieSentences
from rnnapps.datasets.splits import SPLITS, divide, tenth, text_hash

EMBEDDED = {builder.name: builder for builder in (MovieReviews, MovieSentences)}


def load_tfds(
    name: str, split: str, *, data_dir: str | os.PathLike | None, seed: int, text_column: str, label_column: str
) -> Dataset:
    """Loads one split of an embedded or TFDS data set; see `rnnapps.datasets.load` for the arguments.

    Raises:
      DataError: no such set, it cannot be prepared, it is not one of labelled texts, or the split has no labels.
    """

    def columns(builder: tfds.core.DatasetBuilder) -> tuple[str, str]:
        return _text_feature(builder, text_column), _label_feature(builder, label_column)

    builder = prepared(name, data_dir, EMBEDDED, kind="text classification", check=columns)
    text, label = columns(builder)

    def read(part: str) -> tf.data.Dataset:
        examples = builder.as_dataset(split=part, shuffle_files=False)
        return examples.map(lambda example: (example[text], example[label]), num_parallel_calls=2, deterministic=True)

    sizes = {part: info.num_examples for part, info in builder.info.splits.items()}
    if "train" not in sizes:
        raise DataError(f"{name}: has no train split, only {', '.join(sizes)}")
    missing = {part: 0 if part in sizes else tenth(sizes["train"]) for part in ("validation", "test")}
    if split in sizes and (split != "train" or not any(missing.values())):
        examples, size = read(split), sizes[split]
    else:
        examples, size = _carve(read("train"), split, missing, seed)
    if size and next(examples.as_numpy_iterator())[1] < 0:  # how TFDS marks a held-back test set
        raise DataError(f"{name}: the labels of the {split} split are not public; take another split")
    classes = tuple(builder.info.features[label].names)
    return Dataset(examples, classes, size, name, split, pathlib.Path(builder.data_dir))


def prepared(
    name: str,
    data_dir: str | os.PathLike | None,
    embedded: Mapping[str, Callable[..., tfds.core.DatasetBuilder]],
    *,
    kind: str,
    check: Callable[[tfds.core.DatasetBuilder], object],
) -> tfds.core.DatasetBuilder:
    """A builder whose data are ready to be read: one of `embedded`, or else TFDS's own.

    Args:
      name, data_dir: what was asked for, and where prepared sets are kept.
      embedded: our own builders by name.
      kind: of what the sets must be, for the message.
      check: raises a DataError where the set is another kind; called before anything is downloaded.

    Raises:
      DataError: no such set, or it cannot be prepared.
    """

    def make() -> tfds.core.DatasetBuilder:
        if name in embedded:
            return embedded[name](data_dir=data_dir)
        return tfds.builder(name, data_dir=data_dir)

    with _quiet():
        try:
            builder = make()
        except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:  # the last: no such version
            raise DataError(_not_found(name, error, embedded, kind)) from error
        check(builder)
        if builder.is_prepared():
            return builder
        try:
            # Straight from the source: TFDS's own bucket is not asked for a prepared copy.
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(try_download_gcs=False))
        except DataError:
            raise
        except Exception as error:  # whatever a download, a parser or a disk may raise
            builder = make()
            if not builder.is_prepared():  # otherwise another process prepared it at the same time and was first
                raise DataError(f"{name}: cannot be prepared in {builder.data_dir}: {_first_line(error)}") from error
    return builder


def _not_found(name: str, error: Exception, embedded: Iterable[str], kind: str) -> str:
    base, _, configuration = name.split(":")[0].partition("/")
    known = tfds.list_builders(with_community_datasets=False)
    if base in known:
        configurations = list(tfds.builder_cls(base).builder_configs)
        if configuration and configuration not in configurations:
            close = difflib.get_close_matches(configuration, configurations, n=5, cutoff=0.0)
            return f"{base} has no configuration {configuration!r}, but {', '.join(close) or 'none at all'}"
        reason = _first_line(error).rpartition('": ')[2]  # without what TFDS says of its own call
        return f"{name}: {reason}"
    close = difflib.get_close_matches(base, known, n=3, cutoff=0.6)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    return (
        f"{name!r} is no file or folder and no data set by that name is known.{meant}"
        f" Built in: {', '.join(embedded)}; any {kind} set of TFDS has a name, too."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leaves TFDS only its progress bar, on stderr where a person looks on; stdout belongs to the results."""
    tfds.display_progress_bar(sys.stderr.isatty())
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)  # it warns that a set it is about to make is not there yet
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        absl.logging.set_verbosity(verbosity)


def _text_feature(builder: tfds.core.DatasetBuilder, wanted: str) -> str:
    def is_text(feature: tfds.features.FeatureConnector) -> bool:
        spec = feature.get_tensor_spec()
        return isinstance(spec, tf.TensorSpec) and spec.shape == () and spec.dtype == tf.string

    return _feature(builder, wanted, "text", "--text-column", is_text)


def _label_feature(builder: tfds.core.DatasetBuilder, wanted: str) -> str:
    def is_label(feature: tfds.features.FeatureConnector) -> bool:
        return isinstance(feature, tfds.features.ClassLabel)

    return _feature(builder, wanted, "label", "--label-column", is_label)


def _feature(builder: tfds.core.DatasetBuilder, wanted: str, kind: str, option: str, fits: Callable) -> str:
    """The feature called `wanted`; where that is the default, so nobody chose it, also the only one that fits."""
    name = builder.info.full_name
    found = [key for key, feature in dict(builder.info.features or {}).items() if fits(feature)]
    if wanted in found:
        return wanted
    if not found:
        raise DataError(f"{name}: has no {kind} feature; only sets of labelled texts can be used")
    if len(found) == 1 and wanted == kind:
        return found[0]
    raise DataError(f"{name}: there is no {kind} feature {wanted!r}; name one with {option}: {', '.join(found)}")


def _carve(train: tf.data.Dataset, split: str, missing: dict[str, int], seed: int) -> tuple[tf.data.Dataset, int]:
    """The part of `train` that stands for `split` when the set lacks validation or test, and its size."""
    hashes, labels = [], []
    for batch_of_texts, batch_of_labels in train.batch(1024).as_numpy_iterator():
        hashes.extend(text_hash(text, seed) for text in batch_of_texts)
        labels.extend(batch_of_labels)
    kept = divide(hashes, labels, **missing) == SPLITS.index(split)
    mask = tf.constant(kept)
    examples = train.enumerate().filter(lambda index, _: mask[index]).map(lambda _, example: example)
    size = int(np.count_nonzero(kept))
    return examples.apply(tf.data.experimental.assert_cardinality(size)), size
