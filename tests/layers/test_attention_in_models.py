"""Attention in Functional models: sources and targets of unknown length, saved and loaded, quantized."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from rnnapps.layers import (
    AdditiveAttention,
    AttentionCell,
    GRUCell,
    LSTMCell,
    MultiplicativeAttention,
    Recurrent,
    Stacked,
    from_keras,
    to_keras,
)
from tests.layers.cases import randomise

rng = np.random.default_rng(0)
SOURCE = np.array([[1, 2, 3, 4], [5, 6, 0, 0]], "int32")
TARGET = rng.normal(size=(2, 3, 5)).astype("float32")


def decoder(cell: AttentionCell, kind: str) -> keras.layers.Layer:
    if kind == "keras":
        return keras.layers.RNN(cell, return_sequences=True)
    layer = Recurrent(cell, return_sequences=True)
    return Stacked([layer]) if kind == "stacked" else layer


def model(
    kind: str = "ours",
    attention: Callable[[], keras.layers.Layer] = lambda: AdditiveAttention(4),
    masked: bool = True,
    **options: object,
) -> keras.Model:
    """An encoder whose outputs are the memory and whose last states start the decoder."""
    source, target = keras.Input((None,), dtype="int32"), keras.Input((None, 5))
    embedded = keras.layers.Embedding(7, 4, mask_zero=masked)(source)
    memory, h, c = keras.layers.LSTM(3, return_sequences=True, return_state=True)(embedded)
    cell = AttentionCell(LSTMCell(3), attention(), **options)
    states = cell.get_initial_state(memory, initial_state=[h, c])
    outputs = decoder(cell, kind)(target, initial_state=states)
    made = keras.Model([source, target], keras.layers.Dense(2)(outputs))
    randomise(made)
    return made


def reference(made: keras.Model) -> np.ndarray:
    """The same, step by step, with the cell alone."""
    embedding, encoder = (
        layer for layer in made.layers if isinstance(layer, (keras.layers.Embedding, keras.layers.LSTM))
    )
    (cell,) = {id(part): part for part in made._flatten_layers() if isinstance(part, AttentionCell)}.values()
    memory, h, c = encoder(embedding(SOURCE))
    states = cell.get_initial_state(memory, initial_state=[h, c])
    outputs = []
    for step in range(TARGET.shape[1]):
        output, states = cell(TARGET[:, step], states)
        outputs.append(output)
    return made.layers[-1](np.stack(outputs, axis=1))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kind": "keras"},
        {"kind": "stacked"},
        {"attend_first": True, "input_feeding": False},
        {"attention": lambda: MultiplicativeAttention(3), "attend_first": True},
        {"attention": lambda: MultiplicativeAttention(), "masked": False},
    ],
    ids=["additive", "Keras's RNN", "stacked", "attends first", "multiplicative", "dot"],
)
def test_a_functional_model_of_unknown_lengths_is_saved_and_loaded(options: dict, tmp_path: Path) -> None:
    made = model(**options)
    expected = made([SOURCE, TARGET])
    np.testing.assert_allclose(expected, reference(made), atol=1e-6)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded([SOURCE, TARGET]), expected, atol=1e-6)
    # The cell is still one, so that training moves the keys of the memory and of the queries together.
    assert [weight.shape for weight in loaded.weights] == [weight.shape for weight in made.weights]
    loaded.compile("sgd", "mse", run_eagerly=True)
    loaded.train_on_batch([SOURCE, TARGET], np.ones((2, 3, 2)))
    np.testing.assert_allclose(loaded([SOURCE, TARGET]), reference(loaded), atol=1e-5)
    assert loaded([SOURCE[:, :2], TARGET[:, :1]]).shape == (2, 1, 2)


def test_a_decoder_is_converted_with_its_cell() -> None:
    made = model()
    expected = made([SOURCE, TARGET])
    back = to_keras(from_keras(made))
    assert [type(layer) for layer in back.layers if isinstance(layer, keras.layers.RNN)] == [
        keras.layers.LSTM,
        keras.layers.RNN,
    ]
    np.testing.assert_allclose(back([SOURCE, TARGET]), expected, atol=1e-6)


def test_states_of_zeros_and_a_mask_can_be_given() -> None:
    memory, mask, target = keras.Input((None, 3)), keras.Input((None,), dtype="bool"), keras.Input((None, 5))
    cell = AttentionCell(GRUCell(4), AdditiveAttention(4))
    states = cell.get_initial_state(memory, mask=mask)
    made = keras.Model([memory, mask, target], keras.layers.RNN(cell)(target, initial_state=states))
    values, real = rng.normal(size=(2, 6, 3)).astype("float32"), np.arange(6) < np.array([[6], [2]])
    whole = made([values, real, TARGET])
    short = made([values[1:, :2], real[1:, :2], TARGET[1:]])
    np.testing.assert_allclose(whole[1:], short, atol=1e-6)


def attending(attention: keras.layers.Layer) -> keras.Model:
    query, memory = keras.Input((None, 4)), keras.Input((None, 3))
    return keras.Model([query, memory], attention(query, memory))


QUANTIZED = {
    "additive": lambda: attending(AdditiveAttention(4)),
    "multiplicative": lambda: attending(MultiplicativeAttention(4, scale=True)),
    "a decoder": model,
}


@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_attention_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    made = QUANTIZED[name]()
    inputs = [SOURCE, TARGET] if name == "a decoder" else [rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 6, 3))]
    exact = keras.tree.flatten(made(inputs))
    made.quantize("int8")
    expected = keras.tree.flatten(made(inputs))
    for quantized, value in zip(expected, exact, strict=True):
        np.testing.assert_allclose(quantized, value, atol=0.1)
    dense = [layer for layer in made._flatten_layers() if isinstance(layer, keras.layers.Dense)]
    assert dense and all(layer.quantization_mode == "int8" for layer in dense)
    made.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for actual, value in zip(keras.tree.flatten(loaded(inputs)), expected, strict=True):
        np.testing.assert_allclose(actual, value, atol=1e-5)
    again = [layer for layer in loaded._flatten_layers() if isinstance(layer, keras.layers.Dense)]
    assert [layer.quantization_mode for layer in again] == ["int8"] * len(dense)
