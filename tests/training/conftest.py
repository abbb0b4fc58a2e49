import pathlib

import keras
import numpy as np
import pytest

from rnnapps.training import training_run
from tests.training import tiny_run
from tests.training.model_files import INPUTS, Tagger


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory):
    """A run that nothing interrupted: its History and its model."""
    made = tiny_run.model()
    history = tiny_run.fit(made, tmp_path_factory.mktemp("runs") / "whole")
    return history, made


@pytest.fixture(scope="session")
def good(tmp_path_factory) -> pathlib.Path:
    """A `model.keras` as `fit` writes it: compiled and trained, so that it holds the state of an optimizer as well."""
    model = Tagger(["a", "b", "c", "d", "e"])
    model.compile("adam", "mse")
    model.fit(INPUTS, np.ones((2, 3, 2)), verbose=0)
    path = tmp_path_factory.mktemp("good") / "model.keras"
    model.save(path)
    return path


@pytest.fixture
def dense_model():
    """A model that learns y = 2x within a few steps."""
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
    made.compile(keras.optimizers.SGD(0.1), loss="mse")
    return made


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    """Drawing takes longer than these runs; `whole_run` is made before this and has its picture."""
    monkeypatch.setattr(training_run, "plot_curves", lambda *_, **__: None)
