"""Converts trained layers and models from Keras, and back to Keras."""

from __future__ import annotations

import tempfile
import warnings
from copy import deepcopy
from inspect import signature
from typing import Any

import keras

from rnnapps import internals
from rnnapps.layers.bidirectional import Bidirectional
from rnnapps.layers.gru import GRU
from rnnapps.layers.gru_cell import GRUCell
from rnnapps.layers.lstm import LSTM
from rnnapps.layers.lstm_cell import LSTMCell
from rnnapps.layers.recurrent import Recurrent
from rnnapps.layers.simple_rnn import SimpleRNN
from rnnapps.layers.simple_rnn_cell import SimpleRNNCell
from rnnapps.layers.stacked import Stacked

OURS = {
    keras.layers.SimpleRNN: SimpleRNN,
    keras.layers.GRU: GRU,
    keras.layers.LSTM: LSTM,
    keras.layers.RNN: Recurrent,
    keras.layers.Bidirectional: Bidirectional,
    keras.layers.SimpleRNNCell: SimpleRNNCell,
    keras.layers.GRUCell: GRUCell,
    keras.layers.LSTMCell: LSTMCell,
}
KERAS = {ours: theirs for theirs, ours in OURS.items()}
OURS_ONLY = ("output_units", "truncate", "checkpoint_every", "gradient_clip", "engine")


def from_keras(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Replaces Keras's recurrent layers with those of this package, with the same arguments, names and weights.

    Args:
        layer: A `keras.layers.SimpleRNN`, `GRU`, `LSTM`, `RNN` or `Bidirectional`, or a layer or model that holds some:
            a Functional or Sequential model, models inside models, `TimeDistributed` and every other wrapper, and any
            layer or model of your own whose `get_config` holds its layers.

    Returns:
        A new layer or model in which every such layer is replaced; it is built and has the weights if the one given
        is built. A model is not compiled. A warning names the layers that could not be replaced because a class creates
        them in its own code.

    Raises:
        TypeError: If nothing in `layer` can be replaced; the message says what can, and how to fix it.

    Example:

    >>> theirs = keras.layers.LSTM(8, return_sequences=True)
    >>> sequences = np.ones((4, 10, 3), "float32")
    >>> expected = theirs(sequences)
    >>> bool(np.allclose(from_keras(theirs)(sequences), expected, atol=1e-6))
    True
    """
    return _converted(layer, OURS, "rnnapps.layers")


def to_keras(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Replaces the recurrent layers of this package with Keras's, with the same arguments, names and weights.

    `truncate`, `checkpoint_every` and `gradient_clip`, which concern only the gradient, are left out, as is `engine`.

    Args:
        layer: A `SimpleRNN`, `GRU`, `LSTM`, `Recurrent` or `Bidirectional` of this package, or a layer or model that
            holds some, as for `from_keras`.

    Returns:
        A new layer or model, as from `from_keras`.

    Raises:
        TypeError: If nothing in `layer` can be replaced, or if Keras has no counterpart for one of the layers: for
            `Stacked`, and for a `SimpleRNN` with `output_units`.

    Example:

    >>> ours = GRU(8)
    >>> sequences = np.ones((4, 10, 3), "float32")
    >>> expected = ours(sequences)
    >>> bool(np.allclose(to_keras(ours)(sequences), expected, atol=1e-6))
    True
    """
    for part in layer._flatten_layers():
        if isinstance(part, Stacked) or getattr(part, "output_units", None) is not None:
            what = "Stacked" if isinstance(part, Stacked) else "a SimpleRNN with output_units"
            raise TypeError(f"keras.layers has no counterpart of {what}, got {type(part).__name__} {part.name!r}")
    return _converted(layer, KERAS, "keras.layers")


def _converted(layer: keras.layers.Layer, classes: dict[type, type], package: str) -> keras.layers.Layer:
    names = {_class_name(cls): counterpart for cls, counterpart in classes.items()}
    replaced: list[str] = []
    try:
        with internals.object_sharing():
            config = _replaced(keras.saving.serialize_keras_object(layer), names, replaced)
    except NotImplementedError:  # a class without `get_config`
        replaced.clear()
    if not replaced:
        raise TypeError(_nothing_to_replace(layer, classes, package))
    config.pop("compile_config", None)
    # Classes that were never registered are looked up by their name.
    custom_objects = {
        type(part).__name__: type(part)
        for part in layer._flatten_layers()
        if _class_name(type(part))[0] != "keras.layers" and type(part) not in KERAS
    }
    with internals.object_sharing():
        converted = keras.saving.deserialize_keras_object(config, custom_objects=custom_objects, safe_mode=False)
    left = _names(converted, classes)
    if left:
        warnings.warn(
            f"not replaced, because a class creates them in its own code: {left}; use {package} there",
            stacklevel=3,
        )
    if layer.built:
        if not converted.built:
            converted.build_from_config(layer.get_build_config())
        _copy_state(layer, converted)
    return converted


def _replaced(config: Any, names: dict[tuple[str, str], type], replaced: list[str]) -> Any:
    """A copy of a serialised object in which the classes in `names` are replaced, at any depth.

    Args:
        config: The serialised object, or a part of it.
        names: From the module and name of a class to the class that takes its place.
        replaced: Filled with the names of the classes that were replaced.
    """
    if isinstance(config, (list, tuple)):
        return type(config)(_replaced(item, names, replaced) for item in config)
    if not isinstance(config, dict):
        return deepcopy(config)
    # Built on its own, an inner layer would not know its place, which is part of the names of its weights.
    config = {key: _replaced(value, names, replaced) for key, value in config.items() if key != "build_config"}
    counterpart = names.get((config.get("module"), config.get("class_name")))
    if counterpart is None:
        return config
    replaced.append(counterpart.__name__)
    module, class_name = _class_name(counterpart)
    without = OURS_ONLY if "use_cudnn" in signature(counterpart).parameters else (*OURS_ONLY, "use_cudnn")
    return {
        **config,
        "module": module,
        "class_name": class_name,
        "registered_name": None if module == "keras.layers" else keras.saving.get_registered_name(counterpart),
        "config": {name: value for name, value in config["config"].items() if name not in without},
    }


def _class_name(cls: type) -> tuple[str, str]:
    """The module and the name by which Keras serialises a class."""
    is_kerass = getattr(keras.layers, cls.__name__, None) is cls
    return "keras.layers" if is_kerass else cls.__module__, cls.__name__


def _names(layer: keras.layers.Layer, classes: dict[type, type]) -> str:
    """The layers of some classes inside a layer, named for a message."""
    parts = layer._flatten_layers(include_self=False)
    cells = [getattr(part, "cell", None) for part in parts]  # they go with their layers
    return ", ".join(
        f"{type(part).__name__} {part.name!r}"
        for part in parts
        if type(part) in classes and not any(part is cell for cell in cells)
    )


def _nothing_to_replace(layer: keras.layers.Layer, classes: dict[type, type], package: str) -> str:
    can = (
        f"{', '.join(sorted({cls.__name__ for cls in classes}))} can be replaced, alone or in Functional and "
        "Sequential models, wrappers and layers whose get_config contains them"
    )
    inside = _names(layer, classes)
    if not inside:
        return f"{package} has no counterpart: {can}; got {type(layer).__name__} {layer.name!r}"
    return (
        f"the class {type(layer).__name__} creates {inside} in its own code, so they cannot be replaced from outside: "
        f"use {package} in that code and copy the weights with set_weights, or convert those layers one by one; {can}; "
        f"got {type(layer).__name__} {layer.name!r}"
    )


def _copy_state(source: keras.layers.Layer, target: keras.layers.Layer) -> None:
    """Copies the weights, and the vocabularies and other assets of layers that have some."""
    target.set_weights(source.get_weights())
    for old, new in zip(source._flatten_layers(), target._flatten_layers(), strict=True):
        if hasattr(old, "save_assets"):
            with tempfile.TemporaryDirectory() as folder:
                old.save_assets(folder)
                new.load_assets(folder)
