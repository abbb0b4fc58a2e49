"""The examples in the docstrings run and give what they say."""

import doctest
import importlib

import keras
import pytest

from rnnapps import training


@pytest.mark.parametrize("name", ["training_loop", "optimizer", "progress", "run_folder", "schedule", "seed"])
def test_examples(name, tmp_path):
    module = importlib.import_module(f"rnnapps.training.{name}")
    names = {"keras": keras, "optimizer": training.optimizer, "run_dir": tmp_path / "run"}
    results = doctest.testmod(module, extraglobs=names)
    assert results.attempted > 0 and results.failed == 0
