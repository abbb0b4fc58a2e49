import doctest
import functools

import numpy as np
import pytest

from rnnapps import datasets
from rnnapps.datasets import bucketing, loading, own_data, splits


@pytest.mark.parametrize("module", [bucketing, loading, own_data, splits], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_run(module, tmp_path):
    names = {**vars(module), "np": np, "load": functools.partial(datasets.load, data_dir=tmp_path)}
    result = doctest.testmod(module, extraglobs=names)
    assert result.attempted and not result.failed
