"""Signatures and attributes are those of `keras.layers`, but for the differences that docs/differences.md lists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import layers as ours

PAGE = Path(__file__).parents[2] / "docs" / "differences.md"

# How to make a layer of each class, from a module that has the classes of Keras, or ours under Keras's names.
MAKE: dict[str, Callable[[Any], keras.layers.Layer]] = {
    "SimpleRNN": lambda layers: layers.SimpleRNN(2),
    "GRU": lambda layers: layers.GRU(2),
    "LSTM": lambda layers: layers.LSTM(2),
    "RNN": lambda layers: layers.RNN(layers.GRUCell(2)),
    "Bidirectional": lambda layers: layers.Bidirectional(layers.GRU(2)),
    "SimpleRNNCell": lambda layers: layers.SimpleRNNCell(2),
    "GRUCell": lambda layers: layers.GRUCell(2),
    "LSTMCell": lambda layers: layers.LSTMCell(2),
}


class Ours:
    """Our classes under Keras's names."""

    RNN = ours.Recurrent

    def __getattr__(self, name: str) -> Any:
        return getattr(ours, name)


every_class = pytest.mark.parametrize("name", MAKE)


def listed(name: str) -> set[str]:
    """The names that the first table of the page lists for a class."""
    table = PAGE.read_text(encoding="utf-8").partition("## Behaviour")[0]
    rows = [row.split("|")[1:4] for row in table.splitlines() if row.startswith("| `")]
    assert all(reason.strip() for _, _, reason in rows)
    return {entry for classes, names, _ in rows if f"`{name}`" in classes for entry in re.findall(r"`([^`]+)`", names)}


def parameters(function: Callable) -> dict[str, inspect.Parameter]:
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }


def public(layer: keras.layers.Layer) -> set[str]:
    # `input` and `output` exist only once a layer has been called.
    return {name for name in dir(layer) if not name.startswith("_")} - {"input", "output", "name"}


def differences(name: str) -> set[str]:
    """What differs between our class and Keras's: constructor, methods, attributes and their values."""
    keras_s, our = MAKE[name](keras.layers), MAKE[name](Ours())
    keras_arguments, our_arguments = parameters(type(keras_s).__init__), parameters(type(our).__init__)
    assert list(our_arguments)[: len(keras_arguments)] == list(keras_arguments)
    for argument, parameter in keras_arguments.items():
        assert (our_arguments[argument].default, our_arguments[argument].kind) == (parameter.default, parameter.kind)
    different = set(our_arguments) - set(keras_arguments)
    assert all(our_arguments[argument].kind is inspect.Parameter.KEYWORD_ONLY for argument in different)
    different |= public(keras_s) ^ public(our)
    for attribute in public(keras_s) & public(our):
        function = getattr(type(keras_s), attribute, None)
        if inspect.isfunction(function):
            theirs, mine = parameters(function), parameters(getattr(type(our), attribute))
            assert list(mine)[: len(theirs)] == list(theirs), attribute
            assert all(mine[argument].default == theirs[argument].default for argument in theirs), attribute
            different |= {f"{attribute}({argument})" for argument in set(mine) - set(theirs)}
        else:
            value, mine = getattr(keras_s, attribute), getattr(our, attribute)
            if isinstance(value, (bool, int, float, str, type(None))) and value != mine:
                different.add(attribute)
    return different


@every_class
def test_every_difference_of_names_is_listed_and_every_one_listed_is_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours.Recurrent, "engine", "native: for this test")  # else it depends on the machine
    assert differences(name) | ({"Recurrent"} if name == "RNN" else set()) == listed(name)


def test_classes_that_are_not_replaced_are_listed() -> None:
    counterparts = {name for name in MAKE if name == "RNN" or hasattr(ours, name)}
    recurrent = {"SimpleRNN", "GRU", "LSTM", "RNN", "Bidirectional", "StackedRNNCells"}
    cells = {"SimpleRNNCell", "GRUCell", "LSTMCell"}
    assert (recurrent | cells) - counterparts == {"StackedRNNCells"}
    assert "| `StackedRNNCells` | no class |" in PAGE.read_text(encoding="utf-8")


@every_class
def test_all_arguments_are_taken_by_position(name: str) -> None:
    """Values that differ from the defaults, given by position alone, come out in the same configuration."""
    by_name = {
        "units": 3,
        "activation": "softsign",
        "recurrent_activation": "hard_sigmoid",
        "use_bias": False,
        "kernel_initializer": "he_normal",
        "recurrent_initializer": "glorot_uniform",
        "bias_initializer": "ones",
        "unit_forget_bias": False,
        "kernel_regularizer": "l1",
        "recurrent_regularizer": "l2",
        "bias_regularizer": "l1",
        "activity_regularizer": "l2",
        "kernel_constraint": "non_neg",
        "recurrent_constraint": "unit_norm",
        "bias_constraint": "max_norm",
        "dropout": 0.1,
        "recurrent_dropout": 0.2,
        "seed": 5,
        "return_sequences": True,
        "return_state": True,
        "go_backwards": True,
        "stateful": True,
        "unroll": True,
        "zero_output_for_mask": True,
        "reset_after": False,
        "use_cudnn": False,
        "merge_mode": "ave",
        "weights": None,
    }
    configs = []
    for module in (keras.layers, Ours()):
        special = {
            "cell": lambda module=module: module.GRUCell(3, name="cell"),
            "layer": lambda module=module: module.GRU(3, name="layer"),
            "backward_layer": lambda module=module: module.GRU(3, go_backwards=True, name="backward"),
        }
        names = [argument for argument in parameters(getattr(keras.layers, name).__init__) if argument != "self"]
        values = [special[argument]() if argument in special else by_name[argument] for argument in names]
        configs.append(flat(getattr(module, name)(*values).get_config()))
    keras_s, our = configs
    del our["name"], keras_s["name"]
    our.pop("use_cudnn", None)
    if name == "SimpleRNN":  # Keras ignores it there
        assert keras_s.pop("activity_regularizer") is None and our["activity_regularizer"] is not None
    assert {key: our[key] for key in keras_s} == keras_s


def flat(config: dict[str, Any]) -> dict[str, Any]:
    """A configuration whose inner layers and cells are their names alone."""
    return {
        key: value["config"]["name"] if isinstance(value, dict) and "name" in value.get("config", {}) else value
        for key, value in config.items()
        if key != "dtype"
    }


SEQUENCES = np.random.default_rng(0).normal(size=(3, 4, 2)).astype("float32")


def test_keras_differs_in_behaviour_as_the_page_says() -> None:
    """Each of these is a difference only as long as Keras does what the page says of it."""
    layer = keras.layers.LSTM(2, dropout=1.0)
    np.testing.assert_allclose(layer(SEQUENCES, training=True), layer(SEQUENCES))
    assert layer(SEQUENCES, initial_state=[np.ones((1, 2), "float32")] * 2).shape == (3, 2)
    assert layer(SEQUENCES[:1], initial_state=[np.ones((3, 2), "float32")] * 2).shape == (3, 2)
    with pytest.raises(ValueError):
        tf.function(lambda: layer(SEQUENCES, initial_state=[tf.ones((1, 2))] * 2))()
    frozen = [keras.layers.RNN(keras.layers.GRUCell(2), trainable=False)]
    frozen.append(keras.layers.Bidirectional(keras.layers.GRU(2), trainable=False))
    for layer in frozen:
        layer.build(SEQUENCES.shape)
        assert any(weight.trainable for weight in layer.weights)
    weights = [np.ones((2, 8)), np.ones((2, 8)), np.ones(8)] * 2
    layer = keras.layers.Bidirectional(keras.layers.LSTM(2), weights=weights)
    layer.build(SEQUENCES.shape)
    assert not np.all(layer.get_weights()[0] == 1)
    assert "use_cudnn" not in keras.layers.LSTM(2).get_config()


@pytest.mark.parametrize("layer_class", [keras.layers.GRU, keras.layers.LSTM])
def test_keras_draws_dropout_masks_per_gate_where_ours_draws_one(layer_class: type) -> None:
    """Seen in the inputs: with one feature and one mask a sequence is dropped for all gates or for none."""
    arguments = {"recurrent_dropout": 0.5, "dropout": 0.5, "seed": 1}
    keras_s = layer_class(1, **arguments)
    our = getattr(ours, layer_class.__name__)(1, **arguments)
    step = np.ones((64, 1), "float32")
    keras_masks = np.concatenate(keras_s.cell.get_dropout_mask(tf.constant(step)), axis=1)
    assert any(len(set(row)) > 1 for row in keras_masks)
    assert our.cell.get_dropout_mask(tf.constant(step)).shape == (64, 1)


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_use_cudnn_and_the_options_of_a_run_are_attributes(name: str) -> None:
    layer = getattr(ours, name)(2)
    assert layer.return_sequences is layer.go_backwards is layer.stateful is layer.unroll is False
    assert getattr(layer, "use_cudnn", "auto") == "auto"


def test_use_cudnn_true_is_an_error_where_cudnn_cannot_run() -> None:
    """On a CPU for every layer, as in Keras; the reason is named."""
    if tf.config.list_logical_devices("GPU"):
        pytest.skip("there is a GPU")
    for name in ("GRU", "LSTM"):
        with pytest.raises(ValueError, match="use_cudnn"):
            getattr(keras.layers, name)(2, use_cudnn=True)(SEQUENCES)
        with pytest.raises(ValueError, match="use_cudnn=True, but there is no GPU for cuDNN"):
            getattr(ours, name)(2, use_cudnn=True)(SEQUENCES)
    with pytest.raises(ValueError, match="use_cudnn=True, but activation is softsign"):
        ours.LSTM(2, "softsign", use_cudnn=True)(SEQUENCES)
    copy = ours.Bidirectional.from_config(ours.Bidirectional(ours.LSTM(2, use_cudnn=False)).get_config())
    assert copy.forward_layer.use_cudnn is copy.backward_layer.use_cudnn is False
