"""Takes trained layers over from Keras and PyTorch, and back to Keras."""

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

KERAS_CLASSES = {SimpleRNN: keras.layers.SimpleRNN, GRU: keras.layers.GRU, LSTM: keras.layers.LSTM}
OUR_CLASSES = {theirs: ours for ours, theirs in KERAS_CLASSES.items()}
OURS_ONLY = ("output_units", "truncate", "checkpoint_every", "gradient_clip", "engine")


def from_keras(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Our layer in the place of one of Keras's, with the same arguments, name and weights.

    Args:
        layer: A `keras.layers.SimpleRNN`, `GRU`, `LSTM`, a `keras.layers.Bidirectional` of one of them, or a
            Functional or Sequential model, in which every such layer is replaced and the others are made anew with the
            same weights.

    Returns:
        The layer or model of ours; it is built if the one given is.

    Raises:
        TypeError: if there is nothing of ours to take the layer's place.

    Example:

    >>> theirs = keras.layers.LSTM(8, return_sequences=True)
    >>> sequences = np.ones((4, 10, 3), "float32")
    >>> expected = theirs(sequences)
    >>> bool(np.allclose(from_keras(theirs)(sequences), expected, atol=1e-6))
    True
    """
    if isinstance(layer, keras.Model):
        return _converted_model(layer, from_keras, (*OUR_CLASSES, keras.layers.Bidirectional))
    if type(layer) is keras.layers.Bidirectional:
        converted = Bidirectional(
            from_keras(layer.forward_layer),
            backward_layer=from_keras(layer.backward_layer),
            merge_mode=layer.merge_mode,
            **_layer_arguments(layer),
        )
    elif type(layer) in OUR_CLASSES:
        converted = OUR_CLASSES[type(layer)].from_config(layer.get_config())
    else:
        raise TypeError(
            f"there is no layer of ours for {type(layer).__name__}: SimpleRNN, GRU, LSTM, Bidirectional have one"
        )
    return _with_weights_of(layer, converted)


def to_keras(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Keras's layer in the place of one of ours, with the same arguments, name and weights.

    What changes no answer (`truncate`, `checkpoint_every`, `gradient_clip`, `engine`) is left behind.

    Args:
        layer: A `SimpleRNN`, `GRU` or `LSTM` of ours, a `Bidirectional` of one of them, or a Functional or Sequential
            model, in which every such layer is replaced.

    Returns:
        The layer or model of Keras; it is built if the one given is.

    Raises:
        TypeError: if Keras has no such layer, as for `Stacked` and for a `SimpleRNN` with `output_units`.

    Example:

    >>> ours = GRU(8)
    >>> sequences = np.ones((4, 10, 3), "float32")
    >>> expected = ours(sequences)
    >>> bool(np.allclose(to_keras(ours)(sequences), expected, atol=1e-6))
    True
    """
    if isinstance(layer, keras.Model):
        return _converted_model(layer, to_keras, (*KERAS_CLASSES, Bidirectional))
    if type(layer) is Bidirectional:
        converted = keras.layers.Bidirectional(
            to_keras(layer.forward_layer),
            backward_layer=to_keras(layer.backward_layer),
            merge_mode=layer.merge_mode,
            **_layer_arguments(layer),
        )
    elif type(layer) in KERAS_CLASSES and getattr(layer, "output_units", None) is None:
        config = {name: value for name, value in layer.get_config().items() if name not in OURS_ONLY}
        converted = KERAS_CLASSES[type(layer)].from_config(config)
    else:
        raise TypeError(f"Keras has no layer that does what this one does: {layer!r}")
    return _with_weights_of(layer, converted)


def from_torch(
    module: Any, *, return_sequences: bool = True, return_state: bool = False
) -> Recurrent | Stacked | Bidirectional:
    """A layer of ours that computes what a PyTorch `nn.RNN`, `nn.GRU` or `nn.LSTM` does, with its weights.

    Several layers become a `Stacked`, two directions a `Bidirectional`. Ours are batch-major whatever the module's
    `batch_first` says. PyTorch adds two biases to each gate of its RNN and LSTM; here they are one, their sum. Dropout
    between layers is taken over.

    Args:
        module: The PyTorch module; PyTorch itself is not imported.
        return_sequences: Whether to return the outputs of all steps, as PyTorch does, or the last ones only.
        return_state: Whether to return the final states after the output: of each layer from the bottom up, forwards
            before backwards; for an LSTM h and C in turn.

    Returns:
        The layer, built for `module.input_size` features.

    Raises:
        TypeError: if the module is none of the three.
        ValueError: if it is an LSTM with projections (`proj_size`), which no layer of ours has.

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
        return Bidirectional(forward, one_direction(go_backwards=True)) if module.bidirectional else forward

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
    return [*kernels, np.stack(biases) if kind == "GRU" else sum(biases)]


def _layer_arguments(layer: keras.layers.Layer) -> dict[str, Any]:
    return {"name": layer.name, "dtype": layer.dtype_policy, "trainable": layer.trainable}


def _with_weights_of(layer: keras.layers.Layer, converted: keras.layers.Layer) -> keras.layers.Layer:
    if layer.built:
        converted.build_from_config(layer.get_build_config())
        converted.set_weights(layer.get_weights())
    return converted


def _converted_model(model: keras.Model, convert: Any, classes: tuple[type, ...]) -> keras.Model:
    def converted(layer: keras.layers.Layer) -> keras.layers.Layer:
        return convert(layer) if type(layer) in classes else type(layer).from_config(layer.get_config())

    clone = keras.models.clone_model(model, clone_function=converted)
    clone.set_weights(model.get_weights())
    return clone
