"""Dividing examples into train, validation and test: stratified, and the same on every machine.

The split of an example follows from a keyed hash of it, not from a random generator. The same rows therefore divide
alike under every version of Python and NumPy and in whatever order they come, and equal texts end up on the same side
of a cut (unless the cut falls right between them), so a text seen in training hardly ever comes back in the test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from rnnapps.datasets.rejected import DataError

SPLITS = ("train", "validation", "test")
# The names under which people keep the three splits, as folders, as files and in a column.
SPLIT_NAMES = {"train": "train", "training": "train", "validation": "validation", "valid": "validation"}
SPLIT_NAMES |= {"val": "validation", "dev": "validation", "test": "test", "testing": "test"}


def split_of(row: Mapping[str, object]) -> str | None:
    """The split that the column `split` of a row names; None where there is no such column, or it is empty.

    Raises:
        ValueError: It names none.

    Example:
        >>> split_of({"split": " Dev "}), split_of({"split": " "})
        ('validation', None)
    """
    value = row.get("split")
    name = "" if value is None else str(value).strip().lower()
    if name and name not in SPLIT_NAMES:
        raise ValueError(f"'split' is {str(value)[:40]!r}, not one of {', '.join(SPLITS)}")
    return SPLIT_NAMES.get(name)


def part_paths(folder: Path, named: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """The parts of a folder, by split.

    Args:
        folder: The folder, for the error.
        named: What is in it, each with the name that may be one of `SPLIT_NAMES`.

    Raises:
        DataError: Two name the same split.
    """
    parts: dict[str, Path] = {}
    for name, path in named:
        split = SPLIT_NAMES.get(name.lower())
        if split in parts:
            raise DataError(f"{folder}: {parts[split].name} and {path.name} both name the {split} part; keep one")
        if split is not None:
            parts[split] = path
    return parts


def named_parts(path: Path, named: Sequence[str | None]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The splits as the data name them; examples that name none are to train on.

    Args:
        path: The data, for the error.
        named: The split of each example, None where the data do not say.

    Returns:
        The split of each example, an index into `SPLITS`; the places of those to train on; and which of "test" and
        "validation" no example names.

    Raises:
        DataError: Nothing is left to train on.

    Example:
        >>> parts, train, missing = named_parts(Path("data"), ["test", None, "train"])
        >>> parts.tolist(), train.tolist(), missing
        ([2, 0, 0], [1, 2], ['validation'])
    """
    parts = np.array([SPLITS.index(split or "train") for split in named])
    train = np.flatnonzero(parts == SPLITS.index("train"))
    if not len(train):
        raise DataError(f"{path}: nothing is left to train on")
    return parts, train, [split for split in ("test", "validation") if split not in named]


def places_of(split: str, parts: np.ndarray | None, count: int, path: Path, what: tuple[str, str]) -> np.ndarray:
    """The places of the examples of a split.

    Args:
        split: Its name.
        parts: The split of each example, an index into `SPLITS`; None where all are in this one.
        count: The number of examples.
        path: The data, for the error.
        what: What an example is, in the singular and the plural.

    Raises:
        DataError: The split is empty.
    """
    chosen = np.arange(count) if parts is None else np.flatnonzero(parts == SPLITS.index(split))
    if not len(chosen):
        few = f"1 {what[0]} is" if count == 1 else f"{count:,} {what[1]} are"
        raise DataError(f"{path}: the {split} split is empty: {few} too few to divide")
    return chosen


def held_out_size(size: int) -> int:
    """How many of `size` examples are held out for validation or test: a tenth, and at least one."""
    return max(1, size // 10)


def text_hash(text: bytes, seed: int) -> int:
    """A 64-bit hash of a text that depends on the seed: the text's place in the shuffled order."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8, key=str(seed).encode()).digest(), "big")


def quotas(counts: np.ndarray, total: int) -> np.ndarray:
    """Shares `total` among classes in proportion to their counts (largest remainder), leaving each one example.

    Fewer than `total` are given out when the classes are too small to spare as many.

    Example:
        >>> quotas(np.array([60, 30, 10]), 10).tolist()
        [6, 3, 1]
    """
    spare = np.maximum(counts - 1, 0)
    exact = total * counts / max(counts.sum(), 1)
    shares = np.minimum(np.floor(exact).astype(np.int64), spare)
    for place in np.argsort(-(exact - np.floor(exact)), kind="stable"):
        if shares.sum() < total and shares[place] < spare[place]:
            shares[place] += 1
    return shares


def divide(
    hashes: Sequence[int] | np.ndarray, labels: Sequence[int] | np.ndarray, *, validation: int, test: int
) -> np.ndarray:
    """Divides examples class by class in the order of their hashes.

    Args:
        hashes: One `text_hash` for each example.
        labels: One class number for each example, from 0.
        validation: The size of the validation split; 0 for none.
        test: The size of the test split; 0 for none.

    Returns:
        int array (examples,) of indices into `SPLITS`.
    """
    places, classes = np.asarray(hashes, np.uint64), np.asarray(labels, np.int64)
    counts = np.bincount(classes)
    to_test = quotas(counts, test)
    to_validation = quotas(counts - to_test, validation)
    parts = np.full(len(classes), SPLITS.index("train"))
    for label in range(len(counts)):
        members = np.flatnonzero(classes == label)
        members = members[np.argsort(places[members], kind="stable")]
        cut = to_test[label]
        parts[members[:cut]] = SPLITS.index("test")
        parts[members[cut : cut + to_validation[label]]] = SPLITS.index("validation")
    return parts


def hold_out(
    contents: Sequence[bytes],
    labels: Sequence[int] | np.ndarray,
    missing: Collection[str],
    seed: int,
    *,
    at_most: int | None = None,
) -> np.ndarray:
    """Holds out the splits that a data set lacks from its train split.

    Args:
        contents: What the place of each example follows from, such as its text.
        labels: One class number for each example, from 0.
        missing: Which of "validation" and "test" to hold out: a tenth of the examples each.
        seed: Decides which examples are held out.
        at_most: The largest size of a split that is held out; None for no limit.

    Returns:
        int array (examples,) of indices into `SPLITS`.
    """
    size = held_out_size(len(contents)) if at_most is None else min(held_out_size(len(contents)), at_most)
    sizes = {split: size if split in missing else 0 for split in ("validation", "test")}
    return divide([text_hash(content, seed) for content in contents], labels, **sizes)
