"""How `Bidirectional` and `Stacked` run the layers inside them: one call, outputs in the order of the inputs."""

from __future__ import annotations

import inspect
from typing import Any

import keras

from rnnapps.layers.recurrent_cell import Tensor


def run_in_time_order(
    layer: keras.layers.Layer, sequences: Tensor, initial_state: list[Any] | None, mask: Tensor | None, training: Any
) -> tuple[Any, list[Any]]:
    """Calls a recurrent layer.

    Our layers are asked for outputs in the order of the inputs, whichever way they read; those of other layers that go
    backwards are turned round.

    Returns:
        The output (a pair from a `Bidirectional` without a merge) and the list of final states, empty without
        `return_state`.
    """
    takes_order = "keep_time_order" in inspect.signature(layer.call).parameters
    arguments = {"keep_time_order": True} if takes_order else {}
    results = layer(sequences, initial_state=initial_state, mask=mask, training=training, **arguments)
    results = list(results) if isinstance(results, (list, tuple)) else [results]
    count = len(layer.state_size) if layer.return_state else 0
    outputs, states = results[: len(results) - count], results[len(results) - count :]
    output = outputs[0] if len(outputs) == 1 else tuple(outputs)
    if not takes_order and getattr(layer, "go_backwards", False) and layer.return_sequences:
        output = keras.ops.flip(output, axis=1)
    return output, states


def turned_round(config: dict[str, Any]) -> dict[str, Any]:
    """The serialised layer `config`, made to read in the other direction; a stack with all the layers in it."""
    inner = dict(config["config"])
    if "go_backwards" in inner:
        inner["go_backwards"] = not inner["go_backwards"]
    elif "layers" in inner:
        inner["layers"] = [turned_round(layer) for layer in inner["layers"]]
    return {**config, "config": inner}
