"""Recurrent layers by the name of their cell, for models whose cell is an option."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.cells import CELL_NAMES
from rnnapps.layers.bidirectional import Bidirectional
from rnnapps.layers.gru import GRU
from rnnapps.layers.lstm import LSTM
from rnnapps.layers.recurrent import Recurrent
from rnnapps.layers.simple_rnn import SimpleRNN

CELLS: dict[str, type[Recurrent]] = dict(zip(CELL_NAMES, (SimpleRNN, GRU, LSTM), strict=True))


def recurrent_layer(cell: str, units: int, *, l2: float = 0.0, **arguments: Any) -> Recurrent:
    """A `SimpleRNN`, `GRU` or `LSTM`, chosen by name, with one L2 penalty on all of its weights.

    Args:
        cell: "rnn", "gru" or "lstm".
        units: Size of the hidden state.
        l2: Factor of the L2 penalty on the kernel, the recurrent kernel and the bias; 0 for no penalty.
        **arguments: Any other argument of the layer, such as `dropout` or `return_sequences`.

    Returns:
        The layer, not built yet.

    Raises:
        ValueError: If there is no such cell, or if `l2` is negative.

    Example:

    >>> layer = recurrent_layer("gru", 8, l2=1e-4, return_sequences=True)
    >>> layer(np.ones((2, 5, 3), "float32")).shape
    TensorShape([2, 5, 8])
    """
    if cell not in CELLS:
        raise ValueError(f"`cell` must be one of {', '.join(CELLS)}, got {cell!r}")
    if not l2 >= 0:
        raise ValueError(f"`l2` must be at least 0, got {l2!r}")
    if l2:
        weights = ("kernel", "recurrent", "bias")
        # An argument given by name wins over the common penalty.
        arguments = {f"{weight}_regularizer": keras.regularizers.L2(l2) for weight in weights} | arguments
    return CELLS[cell](units, **arguments)


def recurrent_layers(
    count: int, cell: str, *, bidirectional: bool = False, **arguments: Any
) -> list[Recurrent | Bidirectional]:
    """Layers that return sequences, called `lstm_1`, `lstm_2` and so on, for `Stacked` or one after the other.

    Args:
        count: Number of layers.
        cell: As for `recurrent_layer`.
        bidirectional: Whether each reads in both directions; the pairs are called `bidirectional_1` and so on.
        **arguments: As for `recurrent_layer`.

    Returns:
        The layers, not built yet.

    Example:
        >>> [layer.name for layer in recurrent_layers(2, "gru", units=8)]
        ['gru_1', 'gru_2']
    """
    layers = [
        recurrent_layer(cell, return_sequences=True, name=f"{cell}_{number}", **arguments)
        for number in range(1, count + 1)
    ]
    if not bidirectional:
        return list(layers)
    return [Bidirectional(layer, name=f"bidirectional_{number}") for number, layer in enumerate(layers, start=1)]
