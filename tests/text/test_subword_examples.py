import doctest

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.text import segmentations, subwords


@pytest.mark.parametrize("module", [segmentations, subwords], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_run(module):
    names = {**vars(subwords), **vars(module), "np": np, "tf": tf}
    result = doctest.testmod(module, extraglobs=names)
    assert result.attempted and not result.failed
