"""A cell that reads from an encoded sequence at every step: attention and input feeding around any cell."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rnnapps.internals import DropoutRNNCell
from rnnapps.layers.attention import Attention
from rnnapps.layers.attention_states import AttentionStates
from rnnapps.layers.initial_states import cell_state_shapes
from rnnapps.layers.quantized import quantized_sublayers, with_quantized_sublayers
from rnnapps.layers.recurrent_cell import Shape, Tensor, freeze_sublayers
from rnnapps.layers.time_order import deserialized, serialized
from rnnapps.layers.units import positive_units


@keras.saving.register_keras_serializable("rnnapps")
class AttentionCell(keras.layers.Layer, DropoutRNNCell):
    """Puts attention over a memory, and input feeding, around a cell.

    With x_t the inputs, h_t the output of the cell, c_t what attention reads from the memory m and [ ; ] concatenation:

        h_t = cell([x_t; h̃_{t-1}], h_{t-1})      [x_t] alone without `input_feeding`
        c_t = attention(h_t, m)
        h̃_t = tanh(W [c_t; h_t])                 the output

    With `attend_first`, attention comes before the step, from the state before it, and what it reads enters the cell:

        c_t = attention(h_{t-1}, m)
        h_t = cell([x_t; c_t; h̃_{t-1}], h_{t-1})      [x_t; c_t] without `input_feeding`

    The defaults are the decoder of Luong et al.; `attend_first=True, input_feeding=False` is that of Bahdanau et al.
    With neither, attention can follow the recurrent layer instead, which can then run faster.

    The last three states are the memory, its keys and its mask, which every step passes on. Make the states with
    `get_initial_state`, in a Functional model or in the `call` of a layer or model of your own, and give the recurrent
    layer the list. `keras.layers.RNN` and `Recurrent` run the cell, alone or in a `Stacked`; they cannot be `stateful`.
    A mask on the steps makes them copy the memory at every step: leave it out where padding comes last and the loss
    ignores it.

    Args:
        cell: `SimpleRNNCell`, `GRUCell`, `LSTMCell` or any cell whose first state is its hidden state.
        attention: `AdditiveAttention` or `MultiplicativeAttention`.
        units: Size of h̃; None for the size of the cell's output.
        input_feeding: Whether h̃ is fed to the next step.
        attend_first: Whether attention comes before the cell's step.
        memory_size: Features of the memory; None to learn it from the first memory that `get_initial_state` is given.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        inputs: `(batch, features)`.
        states: The result of `get_initial_state` or of the step before.
        training: Whether the cell's dropout is on.

    Returns:
        `(h̃_t, states)`.

    Raises:
        ValueError: If `units` is not positive, or if the cell is built before the size of the memory is known.

    Example:

    >>> cell = AttentionCell(GRUCell(4), AdditiveAttention(8))
    >>> states = cell.get_initial_state(np.ones((2, 7, 3), "float32"))
    >>> decoder = keras.layers.RNN(cell, return_sequences=True)
    >>> decoder(np.ones((2, 5, 6), "float32"), initial_state=states).shape
    TensorShape([2, 5, 4])

    Reference:
        Luong et al., Effective approaches to attention-based neural machine translation, EMNLP 2015, sections 3 and
        3.3; Bahdanau et al., Neural machine translation by jointly learning to align and translate, ICLR 2015, A.1.2.
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        attention: Attention,
        units: int | None = None,
        input_feeding: bool = True,
        attend_first: bool = False,
        memory_size: int | None = None,
        **kwargs: Any,
    ) -> None:
        units = None if units is None else positive_units(units)
        kwargs.setdefault("dtype", cell.dtype_policy)
        super().__init__(**kwargs)
        self.cell = cell
        self.attention = attention
        self.cell_state_sizes = keras.tree.flatten(cell.state_size)
        self.cell_output_size = getattr(cell, "output_size", None) or self.cell_state_sizes[0]
        self.units = self.cell_output_size if units is None else int(units)
        self.input_feeding = input_feeding
        self.attend_first = attend_first
        self.memory_size = memory_size
        self.combine = keras.layers.Dense(
            self.units, activation="tanh", use_bias=False, dtype=self.dtype_policy, name="combine"
        )
        self.output_size = self.units
        # Keras counts the states by this list. The last three have a time axis, for which the list has no place.
        self.state_size = [*self.cell_state_sizes, *([self.units] if input_feeding else []), 1, 1, 1]
        freeze_sublayers(self)

    def build(self, input_shape: Shape) -> None:
        memory_size = self._known_memory_size()
        features: Any = input_shape[-1]
        if not self.cell.built:
            self.cell.build((None, features + self._fed_size()))
        self.build_attention(memory_size)
        if not self.combine.built:
            self.combine.build((None, memory_size + self.cell_output_size))

    def build_attention(self, memory_size: int) -> None:
        """Builds the attention for a memory with so many features."""
        self.memory_size = memory_size
        if not self.attention.built:
            query_size = self.cell_state_sizes[0] if self.attend_first else self.cell_output_size
            self.attention.build((None, query_size), (None, None, memory_size))

    def _known_memory_size(self) -> int:
        if self.memory_size is None:
            raise ValueError(
                "the size of the memory is not known, got memory_size=None: give it, or call `get_initial_state` first"
            )
        return self.memory_size

    def _fed_size(self) -> int:
        return self._known_memory_size() * self.attend_first + self.units * self.input_feeding

    def state_shapes(self) -> list[Any]:
        """What is expected as states, see `rnnapps.layers.initial_states.state_shapes`."""
        fed = [(self.units,)] if self.input_feeding else []
        return [*cell_state_shapes(self.cell), *fed, (None, self.memory_size), (None, None), (None,)]

    def get_initial_state(
        self,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        initial_state: Any = None,
        batch_size: Any = None,
    ) -> list[Tensor]:
        """The states before the first step.

        Args:
            memory: `(batch, source, memory_size)`, what attention reads.
            mask: Boolean `(batch, source)`, False at padding; if left out, the mask that came with the memory.
            initial_state: The wrapped cell's states, such as the last ones of an encoder; zeros if left out.
            batch_size: Given by Keras where a layer was called without states; not enough, since there is no memory.

        Returns:
            The cell's states; h̃ of zeros `(batch, units)` with `input_feeding`; memory, keys `(batch, source, ...)` and
            mask `(batch, source)`.

        Raises:
            ValueError: If there is no memory.
        """
        if memory is None:
            raise ValueError(
                "attention needs a memory: give the layer initial_state=cell.get_initial_state(memory), got none"
            )
        if any(isinstance(tensor, keras.KerasTensor) for tensor in keras.tree.flatten([memory, mask, initial_state])):
            return AttentionStates(self)(memory, mask=mask, initial_state=initial_state)
        if mask is None:
            mask = getattr(memory, "_keras_mask", None)
        memory = ops.convert_to_tensor(memory, dtype=self.compute_dtype)
        mask = ops.ones(ops.shape(memory)[:2], self.compute_dtype) if mask is None else mask
        self.build_attention(memory.shape[-1])
        batch = ops.shape(memory)[0]
        if initial_state is None:
            initial_state = self.cell.get_initial_state(batch_size=batch)
        fed = [ops.zeros((batch, self.units), dtype=self.compute_dtype)] if self.input_feeding else []
        mask = ops.cast(mask, self.compute_dtype)
        return [*keras.tree.flatten(initial_state), *fed, memory, self.attention.keys(memory), mask]

    def call(self, inputs: Tensor, states: Any, training: bool = False) -> tuple[Tensor, list[Tensor]]:
        *own, memory, keys, mask = states
        output, own = self.step(inputs, own, memory, mask=mask, keys=keys, training=training)
        return output, [*own, memory, keys, mask]

    def step(
        self,
        inputs: Tensor,
        states: list[Tensor],
        memory: Tensor,
        mask: Tensor | None = None,
        keys: Tensor | None = None,
        training: bool = False,
    ) -> tuple[Tensor, list[Tensor]]:
        """One step with the memory apart from the states, for searches whose hypotheses share a memory.

        Args:
            inputs: `(batch, features)`, or `(batch, width, features)` for several hypotheses of each sentence.
            states: The states without the last three, each `(batch, ..., size)` with the axes of the inputs.
            memory: As for the attention.
            mask: As for the attention.
            keys: As for the attention.
            training: Whether the cell's dropout is on.

        Returns:
            `(h̃_t, states)`.
        """
        own = states[: len(self.cell_state_sizes)]
        parts = [inputs]
        if self.attend_first:
            context, _ = self.attention(own[0], memory, mask=mask, keys=keys)
            parts.append(context)
        if self.input_feeding:
            parts.append(states[-1])
        inputs = ops.concatenate(parts, axis=-1) if len(parts) > 1 else inputs
        arguments = {"training": training} if self.cell._call_has_training_arg else {}
        output, own = self.cell(inputs, own, **arguments)
        if not self.attend_first:
            context, _ = self.attention(output, memory, mask=mask, keys=keys)
        combined = self.combine(ops.concatenate([context, output], axis=-1))
        return combined, [*keras.tree.flatten(own), *([combined] if self.input_feeding else [])]

    # Keras draws dropout masks before the loop and discards them after it; they are those of the wrapped cell.

    def get_dropout_mask(self, step_input: Tensor) -> Tensor | None:
        if not isinstance(self.cell, DropoutRNNCell):
            return None
        fed = ops.zeros((ops.shape(step_input)[0], self._fed_size()), dtype=step_input.dtype)
        return self.cell.get_dropout_mask(ops.concatenate([step_input, fed], axis=-1))

    def get_recurrent_dropout_mask(self, step_input: Tensor) -> Tensor | None:
        return self.cell.get_recurrent_dropout_mask(step_input) if isinstance(self.cell, DropoutRNNCell) else None

    def reset_dropout_mask(self) -> None:
        if isinstance(self.cell, DropoutRNNCell):
            self.cell.reset_dropout_mask()

    def reset_recurrent_dropout_mask(self) -> None:
        if isinstance(self.cell, DropoutRNNCell):
            self.cell.reset_recurrent_dropout_mask()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "cell": serialized(self.cell),
            "attention": serialized(self.attention),
            "units": self.units,
            "input_feeding": self.input_feeding,
            "attend_first": self.attend_first,
            "memory_size": self.memory_size,
            **quantized_sublayers(self, ("combine",)),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> AttentionCell:
        parts = {name: deserialized(config[name], custom_objects) for name in ("cell", "attention")}
        config = {**config, **parts}
        quantized = config.pop("quantized", {})
        return with_quantized_sublayers(cls(**config), quantized, custom_objects)
