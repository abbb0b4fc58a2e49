"""The examples in the docstrings run and print what they say."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest
import tensorflow as tf

from rnnapps import decoding

MODULES = [module.name for module in pkgutil.iter_modules(decoding.__path__, "rnnapps.decoding.")]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    names = {name: getattr(decoding, name) for name in decoding.__all__}
    assert doctest.testmod(importlib.import_module(module), extraglobs={"tf": tf, **names}).failed == 0
