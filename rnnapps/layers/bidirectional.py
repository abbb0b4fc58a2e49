"""Reads a sequence in both directions."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rnnapps.layers.recurrent_cell import Tensor
from rnnapps.layers.stacked import Stacked
from rnnapps.layers.time_order import run_in_time_order, turned_round

MERGE_MODES = ("concat", "sum", "mul", "ave", None)


@keras.saving.register_keras_serializable("rnnapps")
class Bidirectional(keras.layers.Layer):
    """Runs a recurrent layer forwards and a second one backwards, and merges what the two say about each step.

    In the place of `keras.layers.Bidirectional`, with the same weights in the same order (forward layer first).

    Args:
        layer: What reads forwards: a recurrent layer of ours or of Keras, or a `Stacked` of them. A fresh copy of it,
            without weights, is used, as in Keras.
        backward_layer: What reads backwards (`go_backwards=True`), with the same `return_sequences`, `return_state`
            and `stateful`. None makes a copy of `layer` that is turned round.
        merge_mode: How the two outputs become one: "concat" on the last axis, "sum", "mul" or "ave"; None returns both.
        **kwargs: `name`, `dtype`, `trainable`, as of any Keras layer; the dtype is that of `layer` unless given.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: The states of the forward layer, then those of the backward layer; zeros if left out.
        mask: Boolean `(batch, time)`; both directions hold their states at a step that is False, and with
            `return_sequences` the output of such a step is zero.
        training: Whether dropout is on.

    Returns:
        The merged output, or two outputs with `merge_mode=None`: `(batch, time, size)` with `return_sequences`,
        both directions in the order of the inputs, otherwise `(batch, size)`, the last output that each direction
        came to. With `return_state` followed by the states of the forward layer and those of the backward layer. Called
        chunk by chunk, each direction goes on from the states it is given.

    Raises:
        ValueError: if the layers are not recurrent, differ in what they return, or read in the same direction, or if
            `merge_mode` is unknown.

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
        backward_layer: keras.layers.Layer | None = None,
        merge_mode: str | None = "concat",
        **kwargs: Any,
    ) -> None:
        for name, value in (("layer", layer), ("backward_layer", backward_layer)):
            if not isinstance(value, (keras.layers.RNN, Stacked)) and not (name == "backward_layer" and value is None):
                raise ValueError(f"`{name}` must be a recurrent layer or a Stacked of them, got {value!r}")
        if merge_mode not in MERGE_MODES:
            raise ValueError(f"`merge_mode` must be one of {MERGE_MODES}, got {merge_mode!r}")
        kwargs.setdefault("dtype", layer.dtype_policy)
        super().__init__(**kwargs)
        self.merge_mode = merge_mode
        config = keras.saving.serialize_keras_object(layer)
        self.forward_layer = _copy(config, "forward_")
        self.backward_layer = _copy(turned_round(config), "backward_") if backward_layer is None else backward_layer
        self._check_layers()
        self._zero_masked_outputs()
        self.supports_masking = True
        self.input_spec = getattr(layer, "input_spec", None)

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

    @property
    def state_size(self) -> list[Any]:
        return [*self.forward_layer.state_size, *self.backward_layer.state_size]

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The kept states of both directions, forward first; None unless `stateful` and built."""
        if self.forward_layer.states is None:
            return None
        return (*self.forward_layer.states, *self.backward_layer.states)

    def get_initial_state(self, batch_size: int | Tensor) -> list[Any]:
        return [
            *self.forward_layer.get_initial_state(batch_size),
            *self.backward_layer.get_initial_state(batch_size),
        ]

    def reset_state(self) -> None:
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    def build(self, sequences_shape: tuple[int | None, ...], initial_state_shape: Any = None) -> None:
        for layer in (self.forward_layer, self.backward_layer):
            if not layer.built:
                layer.build(sequences_shape)

    def call(
        self, sequences: Tensor, initial_state: Any = None, mask: Tensor | None = None, training: bool | None = None
    ) -> Any:
        if mask is None:
            mask = getattr(sequences, "_keras_mask", None)
        forward_state = backward_state = None
        if initial_state is not None:
            half = len(self.forward_layer.state_size)
            forward_state, backward_state = list(initial_state[:half]), list(initial_state[half:])
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

    def compute_output_shape(self, sequences_shape: tuple[int | None, ...], initial_state_shape: Any = None) -> Any:
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
            "layer": keras.saving.serialize_keras_object(self.forward_layer),
            "backward_layer": keras.saving.serialize_keras_object(self.backward_layer),
            "merge_mode": self.merge_mode,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Bidirectional:
        config = dict(config)
        for name in ("layer", "backward_layer"):
            config[name] = keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
        return cls(**config)


def _copy(config: dict[str, Any], prefix: str) -> keras.layers.Layer:
    """A new layer from the serialised one, its name with the prefix of its direction."""
    name = prefix + config["config"]["name"].removeprefix(prefix)
    return keras.saving.deserialize_keras_object({**config, "config": {**config["config"], "name": name}})
