"""Data sets that TensorFlow Datasets prepares, its own by name and ours: the builder, ready to be read."""

from __future__ import annotations

import contextlib
import difflib
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import absl.logging
import tensorflow as tf
import tensorflow_datasets as tfds

from rnnapps.datasets.named_sets import NAMED_SETS, Kind, names
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.splits import SPLITS

# The kinds of which any set of TFDS can be read, and what TFDS calls them.
_READABLE: Mapping[Kind, str] = {
    "texts": "text classification",
    "pairs": "translation",
    "recordings": "audio classification",
    "transcripts": "speech recognition",
    "corpora": "text",
}


def prepared(
    name: str, data_dir: Path | None, kind: Kind, check: Callable[[tfds.core.DatasetBuilder], object]
) -> tfds.core.DatasetBuilder:
    """A builder whose data are ready to be read: of a named set, or else of one of TFDS's own.

    Args:
        name: The data set.
        data_dir: Where prepared sets are kept.
        kind: The kind of set that is needed.
        check: Raises a `DataError` where the set is of another kind; called before anything is downloaded.

    Raises:
        DataError: There is no such set, or it cannot be prepared.
    """
    own = NAMED_SETS.get(name)
    if own and name not in names(kind):
        raise DataError(f"{name}: is a set of {own.kind}; expected one of {', '.join(names(kind))}, or other {kind}")
    folder = None if data_dir is None else os.fspath(data_dir)

    def make() -> tfds.core.DatasetBuilder:
        return own.make(folder) if own else tfds.builder(name, data_dir=folder)

    with quiet():
        try:
            builder = make()
        except (tfds.core.DatasetNotFoundError, ValueError, AssertionError) as error:  # the last: no such version
            raise DataError(_not_found(name, error, kind)) from error
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


def parts_to_read(
    builder: tfds.core.DatasetBuilder, name: str, splits: Sequence[str]
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Which splits of a set must be read for the splits wanted.

    Args:
        builder: The builder.
        name: The data set as it was asked for.
        splits: The splits wanted.

    Returns:
        The splits to read, with those wanted splits that each stands for; and the splits that the set lacks, which are
        to be held out from its train split.

    Raises:
        DataError: The set has no train split.
    """
    present = list(builder.info.splits)
    if "train" not in present:
        raise DataError(f"{name}: has no train split, only {', '.join(present)}")
    read: dict[str, list[str]] = {}
    for split in splits:
        read.setdefault(split if split in present else "train", []).append(split)
    return read, tuple(split for split in SPLITS if split not in present)


def feature_named(
    builder: tfds.core.DatasetBuilder,
    wanted: str,
    kind: str,
    fits: Callable[[tfds.features.FeatureConnector], bool],
    needed: str,
) -> str:
    """The feature called `wanted`; where that is the default, so nobody chose it, also the only one that fits.

    Args:
        builder: The builder.
        wanted: What the option `--KIND-column` says.
        kind: What the feature is for: the default of that option, such as "text".
        fits: Whether a feature can be used.
        needed: The sets that have such a feature, for the error where this one has none.

    Raises:
        DataError: There is no such feature.
    """
    name = builder.info.full_name
    found = [key for key, feature in dict(builder.info.features or {}).items() if fits(feature)]
    if wanted in found:
        return wanted
    if not found:
        raise DataError(f"{name}: has no {kind} feature; only {needed} can be used")
    if len(found) == 1 and wanted == kind:
        return found[0]
    raise DataError(f"{name}: there is no {kind} feature {wanted!r}; name one with --{kind}-column: {', '.join(found)}")


def is_text(feature: tfds.features.FeatureConnector) -> bool:
    """Whether a feature is one string."""
    spec = feature.get_tensor_spec()
    return isinstance(spec, tf.TensorSpec) and spec.shape == () and spec.dtype == tf.string


def _not_found(name: str, error: Exception, kind: Kind) -> str:
    base, _, configuration = name.split(":")[0].partition("/")
    known = tfds.list_builders(with_community_datasets=False)
    if base in known:
        configurations = list(tfds.builder_cls(base).builder_configs)
        if configuration and configuration not in configurations:
            close = difflib.get_close_matches(configuration, configurations, n=5, cutoff=0.0)
            return f"{base} has no configuration {configuration!r}; similar ones: {', '.join(close) or 'none'}"
        reason = _first_line(error).rpartition('": ')[2]  # without what TFDS says of its own call
        return f"{name}: {reason}"
    close = difflib.get_close_matches(base, [*known, *names(kind)], n=3, cutoff=0.6)
    meant = f" Did you mean {' or '.join(close)}?" if close else ""
    others = f"; any TFDS {_READABLE[kind]} data set works, too" if kind in _READABLE else ""
    return (
        f"{name!r} is not a file or folder, and no data set by that name is known.{meant}"
        f" Named sets: {', '.join(names(kind))}{others}."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Leaves TFDS only its progress bar, on stderr and only on a terminal; stdout belongs to the results."""
    tfds.display_progress_bar(sys.stderr.isatty())
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)  # it warns that a set it is about to make is not there yet
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        absl.logging.set_verbosity(verbosity)
