"""Keeps sublayers that `quantize` has changed when a layer that makes them in its own code is saved and loaded."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.time_order import deserialized


def quantized_sublayers(layer: keras.layers.Layer, names: tuple[str, ...]) -> dict[str, Any]:
    """What a layer's `get_config` adds for its quantized sublayers; empty as long as none is quantized.

    Args:
        layer: The layer.
        names: The attributes that hold its sublayers, or None.

    Returns:
        `{"quantized": {name: how the sublayer is quantized}}`, or `{}`.
    """
    sublayers = {name: getattr(layer, name) for name in names}
    quantized = {}
    for name, sublayer in sublayers.items():
        if getattr(sublayer, "quantization_mode", None) is not None:
            config = sublayer.get_config()
            quantized[name] = {key: config[key] for key in ("dtype", "quantization_config") if key in config}
    return {"quantized": quantized} if quantized else {}


def with_quantized_sublayers(
    layer: Any, quantized: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> Any:
    """The layer, not built yet, with its sublayers quantized as `quantized_sublayers` describes.

    Args:
        layer: The layer that `from_config` has made.
        quantized: The value of `"quantized"` in its configuration.
        custom_objects: As for `from_config`.
    """
    for name, config in quantized.items():
        sublayer = getattr(layer, name)
        sublayer.dtype_policy = deserialized(config["dtype"], custom_objects)
        if config.get("quantization_config") is not None:
            sublayer.quantization_config = deserialized(config["quantization_config"], custom_objects)
    return layer
