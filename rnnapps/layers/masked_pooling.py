"""Pooling over time that leaves out masked steps."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from rnnapps.layers.recurrent_cell import Shape, Tensor

POOLINGS = ("max", "mean", "max+mean", "last")


@keras.saving.register_keras_serializable("rnnapps")
class MaskedPooling(keras.layers.Layer):
    """One vector for a sequence: the maximum, the mean or the last of its unmasked steps.

    Args:
        mode: "max", "mean", "last", or "max+mean" for both side by side.
        **kwargs: `name`, `dtype`, as for any Keras layer.

    Call arguments:
        sequences: `(batch, time, features)`.
        mask: Boolean `(batch, time)`, True at real steps; None if all are real.

    Returns:
        `(batch, features)`, or `(batch, 2 * features)` for "max+mean". A sequence without a real step, and one of no
        steps, gives zeros.

    Raises:
        ValueError: If there is no such mode.

    Example:

    >>> x = np.array([[[1.0], [4.0], [9.0]]])
    >>> MaskedPooling("max+mean")(x, mask=np.array([[True, True, False]])).numpy().tolist()
    [[4.0, 2.5]]

    Reference:
        Collobert and Weston, A unified architecture for natural language processing, ICML 2008 (max over time).
    """

    def __init__(self, mode: str = "max", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if mode not in POOLINGS:
            raise ValueError(f"`mode` must be one of {', '.join(POOLINGS)}, got {mode!r}")
        self.mode = mode
        self.supports_masking = True

    def call(self, sequences: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is None:
            mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
        mask = ops.cast(mask, "bool")[..., None]
        pooled = [self._pool(mode, sequences, mask) for mode in self.mode.split("+")]
        return pooled[0] if len(pooled) == 1 else ops.concatenate(pooled, axis=-1)

    @staticmethod
    def _pool(mode: str, sequences: Tensor, mask: Tensor) -> Tensor:
        if mode == "mean":
            real = ops.cast(mask, "float32")  # half precision cannot count to a few thousand steps
            total = ops.sum(ops.where(mask, ops.cast(sequences, "float32"), 0.0), axis=1)
            return ops.cast(total / ops.maximum(ops.sum(real, axis=1), 1.0), sequences.dtype)
        if mode == "max":
            # A first step of lowest value keeps the maximum of zero steps defined.
            lowest = ops.cast(-3e38 if sequences.dtype != "float16" else -6e4, sequences.dtype)
            highest = ops.max(ops.where(mask, sequences, lowest), axis=1, initial=-3e38)
            return ops.where(ops.any(mask, axis=1), highest, ops.zeros_like(highest))
        # The last real step is the one after which no real step comes.
        real = ops.cast(mask, "int32")
        after = ops.flip(ops.cumsum(ops.flip(real, axis=1), axis=1), axis=1) - real
        return ops.sum(ops.where(mask & (after == 0), sequences, ops.zeros_like(sequences)), axis=1)

    def compute_mask(self, sequences: Tensor, mask: Tensor | None = None) -> None:
        return None

    def compute_output_shape(self, sequences_shape: Shape) -> Shape:
        features = sequences_shape[-1]
        return (sequences_shape[0], None if features is None else features * len(self.mode.split("+")))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}
