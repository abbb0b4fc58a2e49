import doctest
import functools

import numpy as np
import pytest

from rnnapps import datasets
from rnnapps.datasets import bucketing, loading, own_data, parallel, splits
from rnnapps.datasets.embedded import expressions


@pytest.mark.parametrize(
    "module", [bucketing, expressions, loading, own_data, parallel, splits], ids=lambda module: module.__name__
)
def test_the_examples_in_the_docstrings_run(module, tmp_path):
    doors = {name: functools.partial(getattr(datasets, name), data_dir=tmp_path) for name in ("load", "load_pairs")}
    names = {**vars(module), "np": np, **doors}
    result = doctest.testmod(module, extraglobs=names)
    assert result.attempted and not result.failed
