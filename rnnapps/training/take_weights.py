"""Weights that a new model takes over from a trained one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras


def take_weights(
    layers: Iterable[keras.layers.Layer],
    others: Iterable[keras.layers.Layer],
    shape: Mapping[str, Any],
    other_shape: Mapping[str, Any],
) -> None:
    """Gives layers the weights of another model's layers.

    Args:
        layers: Built layers of the new model.
        others: The layers of the trained model, in the same order.
        shape: The options of the new model that decide which weights it has and what they mean.
        other_shape: Those of the trained model.

    Raises:
        ValueError: The models differ in such an option.

    Example:
        >>> new, trained = keras.layers.Dense(1), keras.layers.Dense(1)
        >>> _ = new.build((None, 2)), trained.build((None, 2))
        >>> take_weights([new], [trained], {"units": 1}, {"units": 1})
        >>> bool((new.kernel == trained.kernel).numpy().all())
        True
    """
    for name, value in shape.items():
        if value != other_shape[name]:
            raise ValueError(f"{name} is {value}, but {other_shape[name]} in the model to start from")
    for layer, other in zip(layers, others, strict=True):
        layer.set_weights(other.get_weights())
