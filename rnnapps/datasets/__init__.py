"""Data: a name or a path becomes labelled examples, and these become batches in few padded shapes."""

from rnnapps.datasets.bucketing import Batches, boundaries_for, bucket
from rnnapps.datasets.dataset import DataError, Dataset, Rejected
from rnnapps.datasets.door import LabelledTexts, Recordings, absolute, load_splits, summary
from rnnapps.datasets.loading import BUILT_IN, load
from rnnapps.datasets.parallel import Pairs, load_pairs
from rnnapps.datasets.parallel_batches import PairBatches

BucketedBatches = Batches

__all__ = [
    "BUILT_IN",
    "Batches",
    "BucketedBatches",
    "DataError",
    "Dataset",
    "LabelledTexts",
    "PairBatches",
    "Pairs",
    "Recordings",
    "Rejected",
    "absolute",
    "boundaries_for",
    "bucket",
    "load",
    "load_pairs",
    "load_splits",
    "summary",
]
