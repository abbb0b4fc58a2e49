"""The examples in the docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import keras
import numpy as np
import pytest

from rnnapps import layers

MODULES = [module.name for module in pkgutil.iter_modules(layers.__path__, "rnnapps.layers.")]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    names = {name: getattr(layers, name) for name in layers.__all__}
    result = doctest.testmod(importlib.import_module(module), extraglobs={"np": np, "keras": keras, **names})
    assert result.failed == 0
