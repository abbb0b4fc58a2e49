"""Recurrent layers on top of each other, as one layer."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rnnapps.layers.initial_states import check_initial_state, check_state_shapes, state_count, state_shapes
from rnnapps.layers.recurrent_cell import Shape, Tensor, freeze_sublayers
from rnnapps.layers.time_order import deserialized, engines_of, run_in_time_order, serialized


@keras.saving.register_keras_serializable("rnnapps")
class Stacked(keras.layers.Layer):
    """Recurrent layers on top of each other, each reading the outputs of the one below.

    The stack sets options of its layers: all but the last return sequences, and all return their states if the last
    one does. What the stack returns is what the last layer was asked for.

    Args:
        layers: The layers from the bottom up: recurrent layers of this package or of Keras, `Bidirectional`, other
            stacks. All read in the same direction and agree on `stateful`.
        residual: Whether a layer's input is added to its output, where the two have the same width. The last layer
            has this connection too; where it returns its last output only, the input of the last step read is added
            (there is no such step, and no connection, for a `Bidirectional`).
        dropout: Share of the values that is dropped between one layer and the next in training, anew at each step.
        seed: Makes that dropout repeatable.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer. The dtype is by default that of the last layer,
            and `trainable=False` freezes all layers.

    Call arguments:
        sequences: `(batch, time, features)`.
        initial_state: The states of all layers from the bottom up, in one flat list; zeros if left out.
        mask: Boolean `(batch, time)`, for all layers alike.
        training: Whether dropout is on.
        keep_time_order: Whether a stack that goes backwards returns its outputs in the order of its inputs.

    Returns:
        The last layer's output, `(batch, time, size)` with its `return_sequences`, else `(batch, size)`; with its
        `return_state` followed by the final states of all layers from the bottom up, which as the next call's
        `initial_state` go on with the sequence.

    Raises:
        ValueError: If there is no layer, if one is not recurrent, if they differ in direction or in `stateful`, or if
            the initial states do not fit them.

    Example:

    >>> layer = Stacked([LSTM(8), Bidirectional(GRU(4)), LSTM(8, return_state=True)], residual=True, dropout=0.2)
    >>> output, *states = layer(np.ones((4, 10, 3), "float32"))
    >>> output.shape, len(states)
    (TensorShape([4, 8]), 6)

    Reference:
        Graves, Mohamed, Hinton, Speech recognition with deep recurrent neural networks, ICASSP 2013, section 2;
        residual connections as in Wu et al., Google's neural machine translation system, arXiv:1609.08144, section 3.1.
    """

    def __init__(
        self,
        layers: list[keras.layers.Layer],
        residual: bool = False,
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        layers = list(layers)
        _check_layers(layers)
        if not 0 <= dropout < 1:
            raise ValueError(f"`dropout` must be at least 0 and less than 1, got {dropout!r}")
        kwargs.setdefault("dtype", layers[-1].dtype_policy)
        super().__init__(**kwargs)
        self.layers = layers
        self.residual = residual
        self.dropout = dropout
        self.seed = seed
        self.between = keras.layers.Dropout(dropout, seed=seed, dtype=self.dtype_policy) if dropout else None
        for layer in layers[:-1]:
            layer.return_sequences = True
            layer.return_state = layers[-1].return_state
        self.supports_masking = True
        self.input_spec = getattr(layers[0], "input_spec", None)
        freeze_sublayers(self)

    @property
    def return_sequences(self) -> bool:
        return self.layers[-1].return_sequences

    @return_sequences.setter
    def return_sequences(self, value: bool) -> None:
        self.layers[-1].return_sequences = value

    @property
    def return_state(self) -> bool:
        return self.layers[-1].return_state

    @return_state.setter
    def return_state(self, value: bool) -> None:
        for layer in self.layers:
            layer.return_state = value

    @property
    def zero_output_for_mask(self) -> bool:
        return getattr(self.layers[-1], "zero_output_for_mask", True)

    @zero_output_for_mask.setter
    def zero_output_for_mask(self, value: bool) -> None:
        self.layers[-1].zero_output_for_mask = value

    @property
    def go_backwards(self) -> bool:
        return any(getattr(layer, "go_backwards", False) for layer in self.layers)

    @property
    def stateful(self) -> bool:
        return self.layers[0].stateful

    @property
    def state_size(self) -> list[Any]:
        return [size for layer in self.layers for size in layer.state_size]

    def state_shapes(self) -> list[Any]:
        """What is expected as initial states, see `rnnapps.layers.initial_states.state_shapes`."""
        return [shape for layer in self.layers for shape in state_shapes(layer)]

    @property
    def engine(self) -> str:
        """Which loop runs the layers, and why; see `Recurrent.engine`."""
        return engines_of(self.layers)

    @property
    def states(self) -> tuple[Any, ...] | None:
        """The kept states of all layers from the bottom up; None unless `stateful` and built."""
        if self.layers[0].states is None:
            return None
        return tuple(state for layer in self.layers for state in layer.states)

    def get_initial_state(self, batch_size: int | Tensor) -> list[Any]:
        return [state for layer in self.layers for state in layer.get_initial_state(batch_size)]

    def reset_states(self) -> None:
        """The older name of `reset_state`, as in Keras."""
        self.reset_state()

    def reset_state(self) -> None:
        """Sets the kept states of all layers to zeros; nothing happens unless they are stateful."""
        for layer in self.layers if self.stateful else ():
            layer.reset_state()

    def build(self, sequences_shape: Shape, initial_state_shape: Any = None) -> None:
        shape = sequences_shape
        for layer in self.layers:
            if not layer.built:
                layer.build(shape)
            shape = self._first(layer.compute_output_shape(shape))

    def call(
        self,
        sequences: Tensor,
        initial_state: Any = None,
        mask: Tensor | None = None,
        training: bool | None = None,
        keep_time_order: bool = False,
    ) -> Any:
        if mask is None:
            mask = getattr(sequences, "_keras_mask", None)
        states = None
        if initial_state is not None:
            states = check_initial_state(self, initial_state, sequences.shape[0])
        final_states: list[Any] = []
        output = sequences
        for index, layer in enumerate(self.layers):
            inputs = self.between(output, training=training) if index and self.between else output
            own_states = None
            if states is not None:
                count = state_count(layer)
                own_states, states = states[:count], states[count:]
            output, own_states = run_in_time_order(layer, inputs, own_states, mask, training)
            final_states += own_states
            if self.residual:
                output = _add_inputs(layer, output, inputs, mask)
        output = keras.tree.map_structure(lambda tensor: ops.cast(tensor, self.compute_dtype), output)
        if self.go_backwards and self.return_sequences and not keep_time_order:
            output = ops.flip(output, axis=1)
        if not self.return_state:
            return output
        outputs = output if isinstance(output, tuple) else (output,)
        return (*outputs, *final_states)

    def compute_output_shape(self, sequences_shape: Shape, initial_state_shape: Any = None) -> Any:
        if initial_state_shape is not None:
            check_state_shapes(self, initial_state_shape, sequences_shape[0])
        shape: Any = sequences_shape
        states: list[Any] = []
        for layer in self.layers:
            last = layer.compute_output_shape(shape)
            shape = self._first(last)
            states += last[len(last) - len(layer.state_size) :] if self.return_state else []
        if not self.return_state:
            return last
        outputs = last[: len(last) - len(self.layers[-1].state_size)]
        return (*outputs, *states)

    def _first(self, shape: Any) -> Shape:
        first: Any = shape[0]
        return tuple(first) if isinstance(first, (list, tuple)) else shape

    def compute_mask(self, _: Any, mask: Any) -> Any:
        mask = keras.tree.flatten(mask)[0] if self.return_sequences else None
        outputs = [mask, mask] if getattr(self.layers[-1], "merge_mode", "") is None else [mask]
        states = [None] * len(self.state_size) if self.return_state else []
        return [*outputs, *states] if len(outputs) + len(states) > 1 else mask

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "layers": [serialized(layer) for layer in self.layers],
            "residual": self.residual,
            "dropout": self.dropout,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> Stacked:
        layers = [deserialized(layer, custom_objects) for layer in config["layers"]]
        return cls(**{**config, "layers": layers})


def _check_layers(layers: list[keras.layers.Layer]) -> None:
    if not layers:
        raise ValueError("`layers` must hold at least one recurrent layer, got none")
    for layer in layers:
        if not all(hasattr(layer, name) for name in ("return_sequences", "return_state", "stateful", "state_size")):
            raise ValueError(f"`layers` must be recurrent layers, Bidirectional or Stacked, got {layer!r}")
    if any(getattr(layer, "merge_mode", "") is None for layer in layers[:-1]):
        raise ValueError("a Bidirectional below another layer must merge its outputs, got merge_mode=None")
    for name in ("go_backwards", "stateful"):
        values = {getattr(layer, name) for layer in layers if hasattr(layer, name)}
        if len(values) > 1:
            raise ValueError(f"`layers` must agree on `{name}`, got {[getattr(layer, name, None) for layer in layers]}")


def _add_inputs(layer: keras.layers.Layer, output: Tensor, inputs: Tensor, mask: Tensor | None) -> Tensor:
    """The layer's output plus its input, where the two have the same width."""
    if isinstance(output, tuple) or output.shape[-1] != inputs.shape[-1]:
        return output
    inputs = ops.cast(inputs, output.dtype)
    if layer.return_sequences:
        return output + inputs
    if not hasattr(layer, "go_backwards"):  # a Bidirectional, which ends at both ends
        return output
    return output + _last_step_read(inputs, mask, layer.go_backwards)


def _last_step_read(sequences: Tensor, mask: Tensor | None, go_backwards: bool) -> Tensor:
    """The step `(batch, features)` of `(batch, time, features)` at which reading ends; zeros where none is read."""
    if mask is None:
        mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
    still_to_come = ops.cast(mask, "int32")
    if not go_backwards:
        still_to_come = ops.flip(still_to_come, axis=1)
    still_to_come = ops.cumsum(still_to_come, axis=1)
    if not go_backwards:
        still_to_come = ops.flip(still_to_come, axis=1)
    is_last = ops.logical_and(ops.cast(mask, "bool"), still_to_come == 1)
    return ops.sum(sequences * ops.cast(is_last, sequences.dtype)[:, :, None], axis=1)
