"""Configurations are read, never used up; what is frozen stays frozen, made, set, copied or loaded."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import keras
import numpy as np
import pytest

from rnnapps.internals import object_sharing
from rnnapps.layers import (
    GRU,
    LSTM,
    AdditiveAttention,
    AttentionCell,
    Bidirectional,
    GRUCell,
    LSTMCell,
    Recurrent,
    SimpleRNN,
    Stacked,
    from_keras,
)
from tests.layers.cases import randomise

SEQUENCES = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")

# Layers whose configurations hold others from which Keras takes entries when it reads them.
NESTED: dict[str, Callable[..., keras.layers.Layer]] = {
    "Bidirectional RNN of cells": lambda **options: Bidirectional(
        keras.layers.RNN([keras.layers.LSTMCell(2), keras.layers.GRUCell(3)], **options)
    ),
    "Bidirectional RNN": lambda **options: Bidirectional(keras.layers.RNN(keras.layers.GRUCell(3), **options)),
    "Bidirectional Recurrent": lambda **options: Bidirectional(Recurrent([GRUCell(2), LSTMCell(3)], **options)),
    "Stacked RNN": lambda **options: Stacked(
        [keras.layers.RNN(GRUCell(2)), keras.layers.RNN([keras.layers.GRUCell(3), GRUCell(3)], **options)]
    ),
    "Bidirectional Stacked RNN": lambda **options: Bidirectional(
        Stacked([keras.layers.RNN([GRUCell(2)]), keras.layers.RNN([GRUCell(2), GRUCell(3)], **options)])
    ),
    "Stacked Bidirectional RNN": lambda **options: Stacked(
        [Bidirectional(keras.layers.RNN([GRUCell(2), GRUCell(2)])), Recurrent(GRUCell(3), **options)]
    ),
    "Keras's Bidirectional": lambda **options: keras.layers.Bidirectional(GRU(3, **options)),
    "Recurrent": lambda **options: Recurrent([LSTMCell(2), GRUCell(3)], **options),
}


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.sampled
def test_a_configuration_can_be_read_twice_and_stays_as_it_is(name: str) -> None:
    layer = NESTED[name](return_sequences=True)
    layer.build(SEQUENCES.shape)
    randomise(layer)
    expected = layer(SEQUENCES)
    if name.startswith("Keras"):  # its own from_config uses the configuration up
        return
    config = layer.get_config()
    before = deepcopy(config)
    for _ in range(2):
        copy = type(layer).from_config(config)
        assert config == before
        copy.build(SEQUENCES.shape)
        copy.set_weights(layer.get_weights())
        np.testing.assert_allclose(copy(SEQUENCES), expected, atol=1e-6)


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.sampled
def test_nested_layers_are_saved_and_loaded(name: str, tmp_path: Path) -> None:
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.Dense(2)(NESTED[name]()(inputs)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(SEQUENCES), model(SEQUENCES), atol=1e-6)


# Models in which a layer is used at two places, and how many weights of how many layers they have.
def _two_bidirectionals(x, y):
    return Bidirectional(GRU(2))(Bidirectional(LSTM(2, return_sequences=True))(x)), 12


def _one_bidirectional_twice(x, y):
    layer = Bidirectional(LSTM(2))
    return layer(x) + layer(y), 6


def _one_layer_given_to_two_bidirectionals(x, y):
    layer = LSTM(2)
    return Bidirectional(layer)(x) + Bidirectional(layer)(y), 12


def _one_backward_layer_in_two_bidirectionals(x, y):
    backward = LSTM(2, go_backwards=True)
    first, second = (Bidirectional(LSTM(2), backward_layer=backward) for _ in range(2))
    return first(x) + second(y), 9


def _one_layer_twice_in_a_stack(x, y):
    layer = GRU(3, return_sequences=True)
    return Stacked([layer, layer, LSTM(2)])(x), 6


def _one_layer_in_two_stacks(x, y):
    layer = GRU(3)
    return Stacked([layer, LSTM(2)])(x) + Stacked([layer, LSTM(2)])(y), 9


def _one_bidirectional_in_a_stack_and_outside(x, y):
    layer = Bidirectional(GRU(2, return_sequences=True))
    return Stacked([layer, LSTM(2)])(x) + layer(y)[:, 0, :2], 9


def _one_keras_cell_in_two_layers(x, y):
    cell = keras.layers.LSTMCell(4)
    return keras.layers.RNN(cell)(x) + Bidirectional(keras.layers.RNN(cell), "sum")(y), 9


@pytest.mark.parametrize(
    "build",
    (
        _two_bidirectionals,
        _one_bidirectional_twice,
        _one_layer_given_to_two_bidirectionals,
        _one_backward_layer_in_two_bidirectionals,
        _one_layer_twice_in_a_stack,
        _one_layer_in_two_stacks,
        _one_bidirectional_in_a_stack_and_outside,
        _one_keras_cell_in_two_layers,
    ),
)
@pytest.mark.sampled
def test_a_loaded_model_shares_what_was_shared_and_nothing_else(build: Callable, tmp_path: Path) -> None:
    inputs = [keras.Input((None, 3)), keras.Input((None, 3))]
    outputs, weights = build(*inputs)
    model = keras.Model(inputs, outputs)
    randomise(model)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert len(model.weights) == weights
    assert len(loaded.weights) == weights
    sequences = [SEQUENCES, SEQUENCES[:, ::-1]]
    np.testing.assert_allclose(loaded(sequences), model(sequences), atol=1e-6)
    for layer in (model, loaded):  # what is shared stays so: a change shows at both places
        for weight in layer.weights:
            weight.assign(weight + 0.1)
    np.testing.assert_allclose(loaded(sequences), model(sequences), atol=1e-6)


def test_copies_made_while_a_model_is_loaded_are_layers_of_their_own() -> None:
    layer = Stacked([LSTM(2), GRU(2)])
    with object_sharing():
        layers = [Bidirectional(layer) for _ in range(3)]
    assert len({id(part) for each in layers for part in (each.forward_layer, each.backward_layer)}) == 6
    assert len({id(part) for each in layers for part in each.backward_layer.layers}) == 6


def test_bidirectional_of_cells_equals_keras() -> None:
    def make(layers: type) -> keras.layers.Layer:
        cells = [keras.layers.LSTMCell(2), keras.layers.GRUCell(3)]
        return layers(keras.layers.RNN(cells, return_sequences=True, return_state=True))

    ours, keras_s = make(Bidirectional), make(keras.layers.Bidirectional)
    for layer in (ours, keras_s):
        layer.build(SEQUENCES.shape)
        randomise(layer)
    for actual, expected in zip(
        keras.tree.flatten(ours(SEQUENCES)), keras.tree.flatten(keras_s(SEQUENCES)), strict=True
    ):
        np.testing.assert_allclose(actual, expected, atol=1e-6)


FROZEN: dict[str, Callable[..., keras.layers.Layer]] = {
    "LSTM": lambda **options: LSTM(2, **options),
    "SimpleRNN": lambda **options: SimpleRNN(2, output_units=2, **options),
    "Recurrent": lambda **options: Recurrent(GRUCell(2), **options),
    "Recurrent of cells": lambda **options: Recurrent([GRUCell(2), LSTMCell(2)], **options),
    "Bidirectional": lambda **options: Bidirectional(LSTM(2), **options),
    "Bidirectional of Keras's layer": lambda **options: Bidirectional(keras.layers.LSTM(2), **options),
    "Bidirectional with a backward layer": lambda **options: Bidirectional(
        GRU(2), backward_layer=GRU(2, go_backwards=True), **options
    ),
    "Stacked": lambda **options: Stacked([GRU(2), LSTM(2)], **options),
    "Bidirectional Stacked": lambda **options: Bidirectional(Stacked([GRU(2), LSTM(2)]), **options),
    "Stacked Bidirectional": lambda **options: Stacked([Bidirectional(GRU(2)), GRU(2)], **options),
}


def trainable_of(layer: keras.layers.Layer) -> tuple[int, keras.Model]:
    """How many weights of the layer a model trains, and the model."""
    model = keras.Sequential([keras.Input((None, 3)), layer])
    model.compile("sgd", "mse", run_eagerly=True)
    before = [np.array(weight) for weight in layer.weights]
    model.train_on_batch(SEQUENCES, np.ones((2, model.output_shape[-1])))
    moved = sum(bool(np.any(old != new)) for old, new in zip(before, layer.get_weights(), strict=True))
    assert len(model.trainable_weights) == moved
    return moved, model


@pytest.mark.parametrize("name", FROZEN)
@pytest.mark.sampled
def test_trainable_false_freezes_everything_inside(name: str, tmp_path: Path) -> None:
    layer = FROZEN[name](trainable=False)
    count, model = trainable_of(layer)
    assert count == 0
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[0]
    for copy in (loaded, type(layer).from_config(layer.get_config())):
        assert trainable_of(copy)[0] == 0
        copy.trainable = True
        assert trainable_of(copy)[0] == len(copy.weights)
        copy.trainable = False
        assert trainable_of(copy)[0] == 0


def test_a_frozen_layer_inside_stays_frozen_alone() -> None:
    stack = Stacked([GRU(2, trainable=False), LSTM(2)])
    assert trainable_of(stack)[0] == len(stack.layers[1].weights)
    copy = Stacked.from_config(stack.get_config())
    assert trainable_of(copy)[0] == len(copy.layers[1].weights)
    assert trainable_of(Bidirectional(GRU(2, trainable=False)))[0] == 0


def test_a_frozen_attention_cell_trains_nothing() -> None:
    cell = AttentionCell(GRUCell(2), AdditiveAttention(3), memory_size=2, trainable=False)
    cell.build((None, 3))
    assert not any(weight.trainable for weight in cell.weights) and len(cell.weights) == 7


def test_a_frozen_layer_of_keras_is_converted_frozen() -> None:
    layer = keras.layers.Bidirectional(keras.layers.LSTM(2), trainable=False)
    assert trainable_of(from_keras(layer))[0] == 0


def test_bidirectional_starts_from_the_weights_it_is_given() -> None:
    weights = [np.full(shape, i, "float32") for i, shape in enumerate([(3, 8), (2, 8), (8,)] * 2)]
    layer = Bidirectional(LSTM(2), "concat", weights)
    layer(SEQUENCES)
    for actual, expected in zip(layer.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(actual, expected)
    with pytest.raises(ValueError, match=r"`weights`.*\(8,\)\].*, got \[\(3, 8\)\]"):
        Bidirectional(LSTM(2), weights=weights[:1])(SEQUENCES)


def test_states_are_reset_by_either_name() -> None:
    for layer in (
        GRU(2, stateful=True),
        Recurrent([GRUCell(2), LSTMCell(2)], stateful=True),
        Bidirectional(GRU(2, stateful=True)),
        Stacked([GRU(2, stateful=True), LSTM(2, stateful=True)]),
    ):
        first = layer(SEQUENCES)
        for reset in (layer.reset_state, layer.reset_states):
            assert np.any(layer(SEQUENCES) != first)
            reset()
            np.testing.assert_allclose(layer(SEQUENCES), first, atol=1e-6)
    with pytest.raises(AttributeError, match="stateful=True"):
        Bidirectional(GRU(2)).reset_state()


def test_wrappers_name_the_engines_of_their_layers() -> None:
    assert Bidirectional(GRU(2)).engine == GRU(2).engine
    assert Bidirectional(GRU(2, activation="softsign")).engine == "keras loop: activation is softsign"
    assert Stacked([LSTM(2), Bidirectional(GRU(2))]).engine == GRU(2).engine
    mixed = Stacked([keras.layers.GRU(2, name="lower"), GRU(2, unroll=True, name="upper")])
    assert mixed.engine == "lower: keras loop: the layer is keras's GRU; upper: keras loop: unroll is on"
