"""What `Bidirectional` and `Stacked` share: how they run, copy and describe the layers inside them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import keras

from rnnapps.layers.initial_states import state_count
from rnnapps.layers.recurrent_cell import Tensor


def run_in_time_order(
    layer: keras.layers.Layer,
    sequences: Tensor,
    initial_state: list[Any] | None,
    mask: Tensor | None,
    training: bool | None,
) -> tuple[Any, list[Any]]:
    """Calls a recurrent layer so that its outputs come in the order of the inputs, whichever way it reads.

    Layers of this package do so when asked; the outputs of other layers that go backwards are reversed.

    Args:
        layer: The layer.
        sequences: `(batch, time, features)`.
        initial_state: The layer's states, or None for zeros.
        mask: Boolean `(batch, time)`, or None.
        training: Whether dropout is on.

    Returns:
        The output (a pair from a `Bidirectional` without a merge) and the list of final states, empty without
        `return_state`.
    """
    parameters = inspect.signature(layer.call).parameters
    offered = {"initial_state": initial_state, "mask": mask, "training": training, "keep_time_order": True}
    arguments = {name: value for name, value in offered.items() if name in parameters and value is not None}
    results = layer(sequences, **arguments)
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    states = 0
    if layer.return_state:
        states = state_count(layer) if hasattr(layer, "state_size") else len(results) - 1
    outputs = len(results) - states
    output = results[0] if outputs == 1 else tuple(results[:outputs])
    if "keep_time_order" not in parameters and getattr(layer, "go_backwards", False) and layer.return_sequences:
        output = keras.ops.flip(output, axis=1)
    return output, results[outputs:]


def reversed_config(config: dict[str, Any]) -> dict[str, Any]:
    """The serialised layer `config`, made to read in the other direction; a stack with all the layers in it."""
    config = deepcopy(config)
    inner = config["config"]
    if "go_backwards" in inner:
        inner["go_backwards"] = not inner["go_backwards"]
    elif "layers" in inner:
        inner["layers"] = [reversed_config(layer) for layer in inner["layers"]]
    return config


def serialized(layer: keras.layers.Layer) -> dict[str, Any]:
    """The configuration of a layer inside another one, marked so that a layer used twice is one layer when loaded.

    While a model is saved, Keras marks an object from the second time on that it meets it. `keras.Model` copies the
    configurations of its layers, so a mark that comes later never reaches the first place. Hence the second call.
    """
    keras.saving.serialize_keras_object(layer)
    return keras.saving.serialize_keras_object(layer)


def copied(layer: keras.layers.Layer, name: str, *, reverse: bool = False) -> Any:
    """A new layer with the configuration of another one, its own name and no weights.

    Args:
        layer: The layer.
        name: The name of the new one.
        reverse: Whether the new one reads in the other direction.
    """
    # With their marks, two copies made while a model is loaded would be one layer.
    config = _without_marks(keras.saving.serialize_keras_object(layer))
    config["config"]["name"] = name
    return deserialized(reversed_config(config) if reverse else config)


def _without_marks(config: Any) -> Any:
    if isinstance(config, dict):
        return {key: _without_marks(value) for key, value in config.items() if key != "shared_object_id"}
    return type(config)(map(_without_marks, config)) if isinstance(config, list | tuple) else config


def deserialized(config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Any:
    """The object of a serialised configuration, which stays as it is; Keras takes entries out of what it is given."""
    return keras.saving.deserialize_keras_object(deepcopy(config), custom_objects=custom_objects)


def engines_of(layers: Sequence[keras.layers.Layer]) -> str:
    """Which loop runs each of some layers, and why: one answer where it is the same for all, else one per layer."""
    engines = [getattr(layer, "engine", f"keras loop: the layer is {_class_of(layer)}") for layer in layers]
    if len(set(engines)) == 1:
        return engines[0]
    return "; ".join(f"{layer.name}: {engine}" for layer, engine in zip(layers, engines, strict=True))


def _class_of(layer: keras.layers.Layer) -> str:
    return f"{type(layer).__module__.partition('.')[0]}'s {type(layer).__name__}"
