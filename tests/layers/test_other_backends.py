"""On other backends of Keras than TensorFlow the layers run on Keras's own loop."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

PROGRAM = """
import keras, numpy as np
from rnnapps.layers import GRU, LSTM, Bidirectional, SimpleRNN, Stacked, from_keras

backend = keras.backend.backend()
sequences = np.random.default_rng(0).normal(size=(2, 4, 3)).astype("float32")
mask = np.array([[1, 1, 1, 0], [1, 0, 1, 1]], bool)
for name, state_count in (("SimpleRNN", 1), ("GRU", 1), ("LSTM", 2)):
    theirs = getattr(keras.layers, name)(3, return_sequences=True, return_state=True)
    states = [np.full((2, 3), 0.1, "float32")] * state_count
    expected = theirs(sequences, mask=mask, initial_state=states)
    ours = from_keras(theirs)
    assert ours.engine == f"keras loop: the backend is {backend}", ours.engine
    for actual, wanted in zip(ours(sequences, mask=mask, initial_state=states), expected, strict=True):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (actual, wanted)), atol=1e-6)
    try:
        ours(sequences, initial_state=[*states, states[0]])
    except ValueError as error:
        assert f"got {state_count + 1}:" in str(error)
    else:
        raise AssertionError("states that do not fit")
stack = Stacked([Bidirectional(GRU(2)), LSTM(3)])
assert stack(sequences, mask=mask).shape == (2, 3)
assert stack.engine == f"keras loop: the backend is {backend}"
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.slow
def test_the_numbers_are_those_of_keras(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
