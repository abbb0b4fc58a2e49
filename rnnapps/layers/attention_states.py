"""The states of an `AttentionCell` as a layer, so that they can be made inside a Functional model."""

from __future__ import annotations

from typing import Any

import keras

from rnnapps.layers.recurrent_cell import Shape, Tensor
from rnnapps.layers.time_order import deserialized, serialized


@keras.saving.register_keras_serializable("rnnapps")
class AttentionStates(keras.layers.Layer):
    """Calls `AttentionCell.get_initial_state` in a Functional model; that method makes this layer where it is needed.

    The layer shares the cell with the recurrent layer that runs it, also after a model is saved and loaded.

    Args:
        cell: The `AttentionCell`.
        **kwargs: `name`, `dtype`, `trainable`, as for any Keras layer.

    Call arguments:
        memory: `(batch, source, memory_size)`.
        mask: Boolean `(batch, source)`; if left out, the mask that came with the memory.
        initial_state: The wrapped cell's states; zeros if left out.

    Returns:
        The states, a list.
    """

    def __init__(self, cell: keras.layers.Layer, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", cell.dtype_policy)
        super().__init__(**kwargs)
        self.cell = cell
        self.supports_masking = True

    def build(self, memory_shape: Shape, initial_state_shape: Any = None) -> None:
        self.cell.build_attention(memory_shape[-1])

    def call(self, memory: Tensor, mask: Tensor | None = None, initial_state: Any = None) -> list[Tensor]:
        return self.cell.get_initial_state(memory, mask=mask, initial_state=initial_state)

    def compute_mask(self, memory: Tensor, mask: Tensor | None = None) -> None:
        return None  # the mask of the memory is one of the states

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cell": serialized(self.cell)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None) -> AttentionStates:
        return cls(**{**config, "cell": deserialized(config["cell"], custom_objects)})
