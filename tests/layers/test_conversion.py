"""Layers taken over from Keras and PyTorch compute what they did there."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest

from rnnapps import layers as ours
from rnnapps.layers import from_keras, from_torch, to_keras
from tests.layers.cases import CASES, randomise

SEQUENCES = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_there_and_back_from_keras(name: str, bidirectional: bool) -> None:
    _, theirs = CASES[name].pair(4, return_sequences=True, return_state=True, dropout=0.2, kernel_regularizer="l2")
    theirs = keras.layers.Bidirectional(theirs, merge_mode="sum") if bidirectional else theirs
    theirs.build(SEQUENCES.shape)
    randomise(theirs)
    converted = from_keras(theirs)
    back = to_keras(converted)
    assert type(converted).__module__.startswith("rnnapps") and type(back) is type(theirs)
    for layer in (converted, back):
        assert layer.name == theirs.name
        for actual, expected in zip(layer(SEQUENCES), theirs(SEQUENCES), strict=True):
            np.testing.assert_allclose(actual, expected, atol=1e-6)
    assert back.get_config().keys() == theirs.get_config().keys()


def test_a_layer_without_weights_is_converted_without() -> None:
    assert not from_keras(keras.layers.LSTM(4)).built


def test_a_whole_model_is_converted() -> None:
    model = keras.Sequential(
        [
            keras.Input((None,)),
            keras.layers.Embedding(9, 3, mask_zero=True),
            keras.layers.Bidirectional(keras.layers.LSTM(4, return_sequences=True)),
            keras.layers.GRU(4),
            keras.layers.Dense(2),
        ]
    )
    tokens = np.array([[1, 2, 3], [4, 0, 0]])
    converted = from_keras(model)
    assert isinstance(converted.layers[1], ours.Bidirectional) and isinstance(converted.layers[2], ours.GRU)
    np.testing.assert_allclose(converted(tokens), model(tokens), atol=1e-6)
    np.testing.assert_allclose(to_keras(converted)(tokens), model(tokens), atol=1e-6)


def test_what_has_no_counterpart_is_refused() -> None:
    with pytest.raises(TypeError, match="Dense"):
        from_keras(keras.layers.Dense(2))
    with pytest.raises(TypeError, match="SimpleRNN"):
        to_keras(ours.SimpleRNN(4, output_units=2))
    with pytest.raises(TypeError, match="Stacked"):
        to_keras(ours.Stacked([ours.GRU(4)]))
    with pytest.raises(TypeError, match="PyTorch"):
        from_torch(object())


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_outputs_and_states_equal_pytorch(kind: str, bidirectional: bool) -> None:
    torch = pytest.importorskip("torch")
    for num_layers, bias, batch_first in product([1, 2], [True, False], [True, False]):
        module = getattr(torch.nn, kind)(
            3, 4, num_layers=num_layers, bias=bias, batch_first=batch_first, bidirectional=bidirectional
        )
        sequences = torch.from_numpy(SEQUENCES)
        expected, expected_states = module(sequences if batch_first else sequences.transpose(0, 1))
        expected = expected if batch_first else expected.transpose(0, 1)
        outputs, *states = from_torch(module, return_state=True)(SEQUENCES)
        np.testing.assert_allclose(outputs, expected.detach(), atol=1e-5)
        if kind == "LSTM":  # torch has all h and then all C, we have h and C of each layer
            expected_states = [state for h_and_c in zip(*expected_states, strict=True) for state in h_and_c]
        for state, expected_state in zip(states, expected_states, strict=True):
            np.testing.assert_allclose(state, expected_state.detach(), atol=1e-5)


def test_last_output_relu_and_dropout_come_over_from_pytorch() -> None:
    torch = pytest.importorskip("torch")
    module = torch.nn.RNN(3, 4, num_layers=2, nonlinearity="relu", dropout=0.25)
    layer = from_torch(module, return_sequences=False)
    assert layer.dropout == 0.25
    expected, _ = module.eval()(torch.from_numpy(SEQUENCES).transpose(0, 1))
    np.testing.assert_allclose(layer(SEQUENCES), expected[-1].detach(), atol=1e-5)
    with pytest.raises(ValueError, match="proj_size=2"):
        from_torch(torch.nn.LSTM(3, 4, proj_size=2))
