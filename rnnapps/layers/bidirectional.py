"""Reads a sequence in both directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from rnnapps.layers.initial_states import check_initial_state, check_state_shapes, state_count, state_shapes
from rnnapps.layers.recurrent_cell import Shape, Tensor, freeze_sublayers
from rnnapps.layers.time_order import copied, deserialized, engines_of, run_in_time_order, serialized

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


@keras.saving.register_keras_serializable("rnnapps")
class Bidirectional(keras.layers.Layer):
    """Runs a recurrent layer forwards and a second one backwards, and merges their outputs.

    A drop-in replacement for `keras.layers.Bidirectional`, with the same weights in the same order (forward layer
    first).

    Args:
        layer: What reads forwards: a recurrent layer of this package or of Keras, a `Stacked` of them, or any layer of
            sequences with `go_backwards`, `return_sequences`, `return_state` and `stateful`. A fresh copy of it,
            without weights, is used, as in Keras.
        merge_mode: How the two outputs become one: "concat" on the last axis, "sum", "mul" or "ave"; None returns both.
        weights: Arrays to start from, those of the forward layer, then those of the backward layer; None for the
            layers' own initializers. Keras accepts this argument and ignores it.
        backward_layer: What reads backwards (`go_backwards=True`), with the same `return_sequences`, `return_state`
            and `stateful`. None makes a copy of `layer` that reads in the other direction.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer; the dtype is that of `layer` unless given, and
            `trainable=False` freezes both layers.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: The states of the forward layer, then those of the backward layer; zeros if left out.
        mask: Boolean `(batch, time)`; both directions hold their states at a step that is False, and with
            `return_sequences` the output of such a step is zero.
        training: Whether dropout is on.

    Returns:
        The merged output, or two outputs with `merge_mode=None`: `(batch, time, size)` with `return_sequences`,
        both directions in the order of the inputs, otherwise `(batch, size)`, the last output of each
        direction. With `return_state` followed by the states of the forward layer and those of the backward layer.
        Called chunk by chunk, each direction goes on from the states it is given.

    Raises:
        ValueError: If the layers are not recurrent, differ in what they return, or read in the same direction, if
            `merge_mode` is unknown, or if `weights` or the initial states do not fit the layers.

    Example:

    >>> layer = Bidirectional(LSTM(8, return_sequences=True))
    >>> layer(np.ones((4, 10, 3), "float32")).shape
    TensorShape([4, 10, 16])

    Reference:
        Schuster and Paliwal, Bidirectional recurrent neural networks, IEEE Trans. Signal Processing 45 (1997),
        section II.
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        merge_mode: str | None = "concat",
        weights: Sequence[np.ndarray] | None = None,
        backward_layer: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        _check_recurrent("layer", layer)
        if backward_layer is not None:
            _check_recurrent("backward_layer", backward_layer)
        if isinstance(merge_mode, keras.layers.Layer):
            raise ValueError(f"`merge_mode` must be one of {MERGE_MODES}, got a layer: give it as `backward_layer=`")
        if merge_mode not in MERGE_MODES:
            raise ValueError(f"`merge_mode` must be one of {MERGE_MODES}, got {merge_mode!r}")
        kwargs.setdefault("dtype", layer.dtype_policy)
        super().__init__(**kwargs)
        self.merge_mode = merge_mode
        self.forward_layer = copied(layer, _name("forward_", layer))
        if backward_layer is None:
            backward_layer = copied(layer, _name("backward_", layer), reverse=True)
        self.backward_layer = backward_layer
        self._check_layers()
        self._zero_masked_outputs()
        self._start_weights = None if weights is None else [np.asarray(weight) for weight in weights]
        self.supports_masking = True
        self.input_spec = getattr(layer, "input_spec", None)
        freeze_sublayers(self)

    def _check_layers(self) -> None:
        forward, backward = self.forward_layer, self.backward_layer
        if forward.go_backwards or not backward.go_backwards:
            raise ValueError(
                "`layer` must read forwards and `backward_layer` backwards, got "
                f"go_backwards={forward.go_backwards} and {backward.go_backwards}"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(forward, name) != getattr(backward, name):
                raise ValueError(
                    f"`layer` and `backward_layer` must have the same `{name}`, got "
                    f"{getattr(forward, name)} and {getattr(backward, name)}"
                )

    @property
    def return_sequences(self) -> bool:
        return self.forward_layer.return_sequences

    @return_sequences.setter
    def return_sequences(self, value: bool) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            layer.return_sequences = value
        self._zero_masked_outputs()

    def _zero_masked_outputs(self) -> None:
        # At a masked step each direction would repeat what it saw last: a mixture that belongs to no step.
        for layer in (self.forward_layer, self.backward_layer):
            if getattr(layer, "zero_output_for_mask", None) is not None:
                layer.zero_output_for_mask = self.return_sequences

    @property
    def return_state(self) -> bool:
        return self.forward_layer.return_state

    @return_state.setter
    def return_state(self, value: bool) -> None:
        self.forward_layer.return_state = self.backward_layer.return_state = value

    @property
    def stateful(self) -> bool:
        return self.forward_layer.stateful

    @stateful.setter
    def stateful(self, value: bool) -> None:
        self.forward_layer.stateful = self.backward_layer.stateful = value

    @property
    def state_size(self) -> list[Any]:
        return [*self.forward_layer.state_size, *self.backward_layer.state_size]

    def state_shapes(self) -> list[Any]:
        """What is expected as initial states, see `rnnapps.layers.initial_states.state_shapes`."""
        return [*state_shapes(self.forward_layer), *state_shapes(self.backward_layer)]

    @property
    def engine(self) -> str:
        """Which loop runs the two layers, and why; see `Recurrent.engine`."""
        return engines_of((self.forward_layer, self.backward_layer))

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The kept states of both directions, forward first; None unless `stateful` and built."""
        if not (self.forward_layer.states and self.backward_layer.states):
            return None
        return (*self.forward_layer.states, *self.backward_layer.states)

    def get_initial_state(self, batch_size: int | Tensor) -> list[Any]:
        return [
            *self.forward_layer.get_initial_state(batch_size),
            *self.backward_layer.get_initial_state(batch_size),
        ]

    def reset_states(self) -> None:
        """The older name of `reset_state`, as in Keras."""
        self.reset_state()

    def reset_state(self) -> None:
        """Sets the kept states of both directions to zeros.

        Raises:
            AttributeError: If the layers are not stateful, as in Keras.
        """
        if not self.stateful:
            raise AttributeError(f"Bidirectional {self.name!r} keeps no state: make its layer with stateful=True")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)
        if self._start_weights is not None:
            expected = [tuple(weight.shape) for weight in self.weights]
            given = [weight.shape for weight in self._start_weights]
            if given != expected:
                raise ValueError(f"`weights` must have the shapes {expected}, forward layer first, got {given}")
            self.set_weights(self._start_weights)
            self._start_weights = None

    def call(
        self, sequences: Tensor, initial_state: Any = None, mask: Tensor | None = None, training: bool | None = None
    ) -> Any:
        if mask is None:
            mask = getattr(sequences, "_keras_mask", None)
        forward_state = backward_state = None
        if initial_state is not None:
            states = check_initial_state(self, initial_state, sequences.shape[0])
            count = state_count(self.forward_layer)
            forward_state, backward_state = states[:count], states[count:]
        forward, forward_state = run_in_time_order(self.forward_layer, sequences, forward_state, mask, training)
        backward, backward_state = run_in_time_order(self.backward_layer, sequences, backward_state, mask, training)
        output = self._merge(ops.cast(forward, self.compute_dtype), ops.cast(backward, self.compute_dtype))
        if not self.return_state:
            return output
        outputs = output if self.merge_mode is None else (output,)
        return (*outputs, *forward_state, *backward_state)

    def _merge(self, forward: Tensor, backward: Tensor) -> Any:
        match self.merge_mode:
            case "concat":
                return ops.concatenate([forward, backward], axis=-1)
            case "sum":
                return forward + backward
            case "mul":
                return forward * backward
            case "ave":
                return (forward + backward) / 2
        return forward, backward

    def compute_output_shape(self, sequences_shape: Shape, initial_state_shape: Any = None) -> Any:
        if initial_state_shape is not None:
            check_state_shapes(self, initial_state_shape, sequences_shape[0])
        forward = self.forward_layer.compute_output_shape(sequences_shape)
        backward = self.backward_layer.compute_output_shape(sequences_shape)
        states: tuple[Any, ...] = ()
        if self.return_state:
            (forward, *forward_states), (backward, *backward_states) = forward, backward
            states = (*forward_states, *backward_states)
        forward, backward = tuple(forward), tuple(backward)
        if self.merge_mode == "concat":
            forward = (*forward[:-1], forward[-1] + backward[-1])
        outputs = (forward, backward) if self.merge_mode is None else (forward,)
        return (*outputs, *states) if len(outputs) + len(states) > 1 else forward

    def compute_mask(self, _: Any, mask: Any) -> Any:
        mask = keras.tree.flatten(mask)[0] if self.return_sequences else None
        outputs = [mask, mask] if self.merge_mode is None else [mask]
        states = [None] * len(self.state_size) if self.return_state else []
        return [*outputs, *states] if len(outputs) + len(states) > 1 else mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layer": serialized(self.forward_layer),
            "backward_layer": serialized(self.backward_layer),
            "merge_mode": self.merge_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Bidirectional:
        layers = {name: deserialized(config[name], custom_objects) for name in ("layer", "backward_layer")}
        return cls(**{**config, **layers})


def _check_recurrent(argument: str, layer: Any) -> None:
    needed = ("go_backwards", "return_sequences", "return_state", "stateful")
    if not isinstance(layer, keras.layers.Layer) or not all(hasattr(layer, name) for name in needed):
        raise ValueError(f"`{argument}` must be a recurrent layer or a Stacked of them, got {layer!r}")


def _name(prefix: str, layer: keras.layers.Layer) -> str:
    return prefix + layer.name.removeprefix(prefix)
