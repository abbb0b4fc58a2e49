"""Layers taken over from Keras and PyTorch compute what they did there."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf

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


class Scale(keras.layers.Wrapper):
    """A wrapper that nobody registered."""

    def call(self, inputs: object) -> object:
        return 2 * self.layer(inputs)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return self.layer.compute_output_shape(input_shape)


class MakesItsOwn(keras.layers.Layer):
    """A layer whose class makes an LSTM, of which its configuration tells nothing."""

    def __init__(self, units: int = 4, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.inner = keras.layers.LSTM(units, return_sequences=True, name="inner")

    def build(self, input_shape: tuple) -> None:
        self.inner.build(input_shape)

    def call(self, inputs: object) -> object:
        return self.inner(inputs)


class Tagger(keras.Model):
    def __init__(self) -> None:
        super().__init__(name="tagger")
        self.encoder = keras.layers.LSTM(4, name="encoder")
        self.head = keras.layers.Dense(2)

    def call(self, inputs: object) -> object:
        return self.head(self.encoder(inputs))


@keras.saving.register_keras_serializable("tests")
class Described(keras.Model):
    """A subclassed model whose configuration holds its layers."""

    def __init__(self, encoder: keras.layers.Layer, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.encoder = encoder

    def call(self, inputs: object) -> object:
        return self.encoder(inputs)

    def get_config(self) -> dict:
        return {"encoder": keras.saving.serialize_keras_object(self.encoder), "name": self.name}

    @classmethod
    def from_config(cls, config: dict) -> Described:
        return cls(**{**config, "encoder": keras.saving.deserialize_keras_object(config["encoder"])})


def nested() -> keras.Model:
    inner = keras.Sequential([keras.Input((5, 3)), keras.layers.GRU(4, return_sequences=True)], name="inner")
    deeper_inputs = keras.Input((5, 4))
    deeper = keras.Model(deeper_inputs, inner_pair(deeper_inputs), name="deeper")
    inputs = keras.Input((5, 3))
    return keras.Model(inputs, keras.layers.Dense(2)(deeper(inner(inputs))))


def inner_pair(inputs: keras.KerasTensor) -> keras.KerasTensor:
    outputs, h, c = keras.layers.LSTM(4, return_sequences=True, return_state=True)(inputs)
    return keras.layers.LSTM(4)(outputs, initial_state=[h, c]) + keras.ops.mean(outputs, axis=1)


def model_of(layer: keras.layers.Layer, shape: tuple = (5, 3)) -> keras.Model:
    inputs = keras.Input(shape)
    return keras.Model(inputs, layer(inputs))


HOLDERS: dict[str, Callable[[], keras.layers.Layer]] = {
    "models inside models": nested,
    "TimeDistributed": lambda: model_of(keras.layers.TimeDistributed(keras.layers.LSTM(4)), (2, 5, 3)),
    "TimeDistributed model": lambda: model_of(
        keras.layers.TimeDistributed(model_of(keras.layers.Bidirectional(keras.layers.GRU(4)))), (2, 5, 3)
    ),
    "a wrapper of its own": lambda: model_of(Scale(keras.layers.GRU(4))),
    "a wrapper in a wrapper": lambda: model_of(keras.layers.TimeDistributed(Scale(keras.layers.GRU(4))), (2, 5, 3)),
    "RNN of cells": lambda: model_of(keras.layers.RNN([keras.layers.LSTMCell(4), keras.layers.GRUCell(3)])),
    "Bidirectional RNN": lambda: model_of(keras.layers.Bidirectional(keras.layers.RNN(keras.layers.GRUCell(3)))),
    "Sequential in Sequential": lambda: keras.Sequential(
        [keras.Input((5, 3)), keras.Sequential([keras.layers.SimpleRNN(4, return_sequences=True)]), keras.layers.GRU(2)]
    ),
    "a layer twice": lambda: twice(),
    "a described subclass": lambda: Described(keras.layers.LSTM(4)),
}


def twice() -> keras.Model:
    layer = keras.layers.GRU(3, return_sequences=True)
    inputs = keras.Input((5, 3))
    return keras.Model(inputs, layer(layer(inputs)))


def recurrent_layers(layer: keras.layers.Layer) -> list[type]:
    classes = (keras.layers.RNN, keras.layers.Bidirectional, ours.Bidirectional)
    return [type(part) for part in layer._flatten_layers() if isinstance(part, classes)]


@pytest.mark.parametrize("name", HOLDERS)
@pytest.mark.sampled
def test_layers_inside_models_and_wrappers_are_converted(name: str) -> None:
    model = HOLDERS[name]()
    shape = (3, *model.input_shape[1:]) if name != "a described subclass" else (3, 5, 3)
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    model(inputs)
    randomise(model)
    expected = model(inputs)
    converted = from_keras(model)
    back = to_keras(converted)
    for each, package in ((converted, "rnnapps"), (back, "keras")):
        classes = recurrent_layers(each)
        assert len(classes) == len(recurrent_layers(model))
        assert all(cls.__module__.startswith(package) for cls in classes), classes
        if not each.built:
            each(inputs)
            each.set_weights(model.get_weights())
        np.testing.assert_allclose(each(inputs), expected, atol=1e-5)
    # Keras builds a Sequential inside another one before it has its place.
    for weight, original in zip(back.weights, model.weights, strict=True):
        assert original.path == weight.path or (original.path.endswith(weight.path) and name.startswith("Sequential"))


def test_a_vocabulary_comes_over() -> None:
    words = keras.layers.TextVectorization()
    words.adapt(["a b c", "b c", "c"])
    embedding = keras.layers.Embedding(8, 3, mask_zero=True)
    model = keras.Sequential([keras.Input((), dtype="string"), words, embedding, keras.layers.LSTM(4)])
    texts = tf.constant(["c b a", "c"])
    np.testing.assert_allclose(from_keras(model)(texts), model(texts), atol=1e-6)


def test_a_subclassed_model_is_refused_with_the_way_to_fix_it() -> None:
    model = Tagger()
    model(SEQUENCES)
    with pytest.raises(
        TypeError, match=r"class Tagger creates LSTM 'encoder' in its own code.*rnnapps\.layers.*GRUCell, LSTM"
    ):
        from_keras(model)
    with pytest.raises(TypeError, match=r"class MakesItsOwn creates LSTM 'inner'"):
        from_keras(MakesItsOwn())
    with pytest.raises(TypeError, match=r"no counterpart.*Sequential"):
        from_keras(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))


def test_what_a_class_makes_in_its_code_is_named_in_a_warning() -> None:
    inputs = keras.Input((5, 3))
    model = keras.Model(inputs, keras.layers.GRU(2)(MakesItsOwn()(inputs)))
    with pytest.warns(UserWarning, match=r"not replaced.*LSTM 'inner'.*rnnapps.layers"):
        converted = from_keras(model)
    np.testing.assert_allclose(converted(SEQUENCES), model(SEQUENCES), atol=1e-6)


def test_what_has_no_counterpart_is_refused() -> None:
    with pytest.raises(TypeError, match="Dense"):
        from_keras(keras.layers.Dense(2))
    for layer in (
        ours.SimpleRNN(4, output_units=2),
        ours.Stacked([ours.GRU(4)]),
        ours.Bidirectional(ours.Stacked([ours.GRU(4)])),
        model_of(keras.layers.TimeDistributed(ours.Stacked([ours.GRU(4)])), (2, 5, 3)),
    ):
        with pytest.raises(TypeError, match=r"no counterpart of (Stacked|a SimpleRNN with output_units)"):
            to_keras(layer)
    with pytest.raises(TypeError, match="PyTorch"):
        from_torch(object())


def test_arguments_on_the_gradient_are_left_out() -> None:
    layer = to_keras(ours.LSTM(4, truncate=4, checkpoint_every=2, gradient_clip=5.0))
    assert type(layer) is keras.layers.LSTM


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.slow
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
