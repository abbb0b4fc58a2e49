"""A recurrent layer chosen by name is the layer of that name."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from rnnapps.layers import CELLS, GRU, LSTM, SimpleRNN, recurrent_layer


def test_names_choose_the_layers() -> None:
    assert dict(CELLS) == {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
    for name, layer_class in CELLS.items():
        layer = recurrent_layer(name, 3, dropout=0.1, return_sequences=True, name="first")
        expected = layer_class(3, dropout=0.1, return_sequences=True, name="first")
        assert type(layer) is layer_class and layer.get_config() == expected.get_config()


@pytest.mark.parametrize("cell", CELLS)
def test_the_penalty_is_the_sum_of_squares_of_all_weights(cell: str) -> None:
    layer = recurrent_layer(cell, 3, l2=0.01)
    layer.build((None, None, 2))
    expected = 0.01 * sum(np.sum(np.square(weight)) for weight in layer.get_weights())
    np.testing.assert_allclose(sum(layer.losses), expected, rtol=1e-6)


def test_a_regularizer_given_by_name_wins() -> None:
    layer = recurrent_layer("gru", 3, l2=0.01, bias_regularizer=None)
    assert layer.bias_regularizer is None and isinstance(layer.kernel_regularizer, keras.regularizers.L2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cell": "elman", "units": 3}, "`cell` must be one of rnn, gru, lstm, got 'elman'"),
        ({"cell": "gru", "units": 3, "l2": -1.0}, "`l2` must be at least 0, got -1.0"),
        ({"cell": "gru", "units": 3, "l2": float("nan")}, "`l2` must be at least 0, got nan"),
    ],
)
def test_wrong_values_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recurrent_layer(**arguments)
