"""Data: a name or a path becomes labelled examples, and these become batches in few padded shapes."""

from rnnapps.datasets.bucketing import Batches, boundaries_for, bucket
from rnnapps.datasets.dataset import DataError, Dataset, Rejected
from rnnapps.datasets.loading import BUILT_IN, load
from rnnapps.datasets.parallel import Pairs, load_pairs
from rnnapps.datasets.parallel_batches import PairBatches

__all__ = [
    "BUILT_IN",
    "Batches",
    "DataError",
    "Dataset",
    "PairBatches",
    "Pairs",
    "Rejected",
    "boundaries_for",
    "bucket",
    "load",
    "load_pairs",
]
