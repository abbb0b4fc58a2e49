"""Dividing labelled texts into train, validation and test: stratified, and the same on every machine.

An example's place follows from a keyed hash of its text, not from a random generator. The same rows therefore divide
alike under every version of Python and NumPy and in whatever order they come, and equal texts end up on the same side
of a cut (unless the cut falls right between them), so a text seen in training hardly ever comes back in the test.
"""

import hashlib
from collections.abc import Sequence

import numpy as np

SPLITS = ("train", "validation", "test")


def tenth(size: int) -> int:
    """The size of a validation or test part carved off `size` examples: a tenth, and at least one."""
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


def divide(hashes: Sequence[int], labels: Sequence[int], *, validation: int, test: int) -> np.ndarray:
    """Divides examples class by class in the order of their hashes.

    Args:
      hashes: one `text_hash` an example.
      labels: one class number an example, from 0.
      validation: how many examples the validation part gets; 0 for none.
      test: how many examples the test part gets; 0 for none.

    Returns:
      int array (examples,) of indices into `SPLITS`.
    """
    hashes, labels = np.asarray(hashes, np.uint64), np.asarray(labels, np.int64)
    counts = np.bincount(labels)
    to_test = quotas(counts, test)
    to_validation = quotas(counts - to_test, validation)
    parts = np.full(len(labels), SPLITS.index("train"))
    for label in range(len(counts)):
        members = np.flatnonzero(labels == label)
        members = members[np.argsort(hashes[members], kind="stable")]
        cut = to_test[label]
        parts[members[:cut]] = SPLITS.index("test")
        parts[members[cut : cut + to_validation[label]]] = SPLITS.index("validation")
    return parts
