"""Converts trained layers from PyTorch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from rnnapps.layers.bidirectional import Bidirectional
from rnnapps.layers.gru import GRU
from rnnapps.layers.lstm import LSTM
from rnnapps.layers.recurrent import Recurrent
from rnnapps.layers.simple_rnn import SimpleRNN
from rnnapps.layers.stacked import Stacked


def from_torch(
    module: Any, *, return_sequences: bool = True, return_state: bool = False
) -> Recurrent | Stacked | Bidirectional:
    """Makes a layer that computes what a PyTorch `nn.RNN`, `nn.GRU` or `nn.LSTM` does, with its weights.

    Several layers become a `Stacked`, two directions a `Bidirectional`. The result is batch-major whatever the module's
    `batch_first` is. PyTorch adds two biases to each gate of its RNN and LSTM; here they are one, their sum. Dropout
    between layers is taken over.

    Args:
        module: The PyTorch module; PyTorch itself is not imported.
        return_sequences: Whether to return the outputs of all steps, as PyTorch does, or the last ones only.
        return_state: Whether to return the final states after the output: of each layer from the bottom up, forwards
            before backwards; for an LSTM h and C in turn.

    Returns:
        The layer, built for `module.input_size` features.

    Raises:
        TypeError: If the module is none of the three.
        ValueError: If it is an LSTM with projections (`proj_size`), which no layer here has.

    Example:

        module = torch.nn.LSTM(input_size=16, hidden_size=32, num_layers=2, bidirectional=True, batch_first=True)
        layer = from_torch(module)                      # Stacked of two Bidirectional(LSTM(32))
        layer(sequences)                                # (batch, time, 64), as module(...)[0]
    """
    kind = getattr(module, "mode", None)
    if kind not in ("RNN_TANH", "RNN_RELU", "GRU", "LSTM"):
        raise TypeError(f"`module` must be a PyTorch nn.RNN, nn.GRU or nn.LSTM, got {type(module).__name__}")
    if getattr(module, "proj_size", 0):
        raise ValueError(f"an LSTM with projections has no counterpart here, got proj_size={module.proj_size}")

    def one_direction(go_backwards: bool) -> Recurrent:
        arguments = {"use_bias": module.bias, "go_backwards": go_backwards, "return_state": return_state}
        match kind:
            case "LSTM":
                return LSTM(module.hidden_size, return_sequences=True, **arguments)
            case "GRU":
                return GRU(module.hidden_size, return_sequences=True, reset_after=True, **arguments)
        return SimpleRNN(module.hidden_size, kind.removeprefix("RNN_").lower(), return_sequences=True, **arguments)

    def one_layer() -> keras.layers.Layer:
        forward = one_direction(go_backwards=False)
        return (
            Bidirectional(forward, backward_layer=one_direction(go_backwards=True)) if module.bidirectional else forward
        )

    layers = [one_layer() for _ in range(module.num_layers)]
    layers[-1].return_sequences = return_sequences
    layer = layers[0] if len(layers) == 1 else Stacked(layers, dropout=module.dropout)
    layer.build((None, None, module.input_size))
    directions = ("", "_reverse") if module.bidirectional else ("",)
    layer.set_weights(
        [
            weight
            for index in range(module.num_layers)
            for direction in directions
            for weight in _torch_weights(module, kind, f"l{index}{direction}")
        ]
    )
    return layer


def _torch_weights(module: Any, kind: str, suffix: str) -> list[np.ndarray]:
    """Kernel, recurrent kernel and bias, if there is one, of one layer and direction, in Keras's shapes and order."""

    def read(name: str) -> np.ndarray:
        rows = getattr(module, f"{name}_{suffix}").detach().cpu().numpy()
        if kind != "GRU":  # the LSTM's gates i, f, c, o come in the same order
            return rows
        reset, update, new = np.split(rows, 3)
        return np.concatenate([update, reset, new])

    kernels = [read("weight_ih").T, read("weight_hh").T]
    if not module.bias:
        return kernels
    biases = [read("bias_ih"), read("bias_hh")]
    return [*kernels, np.stack(biases) if kind == "GRU" else np.add(*biases)]
