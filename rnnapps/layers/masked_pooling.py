"""Pooling over time that knows which steps are real."""

import keras
from keras import ops

POOLINGS = ("max", "mean", "max+mean", "last")


@keras.saving.register_keras_serializable("rnnapps")
class MaskedPooling(keras.layers.Layer):
    """One vector for a sequence: the maximum, the mean or the last of its unmasked steps.

    Args:
        mode: "max", "mean", "last", or "max+mean" for both side by side.

    Call arguments:
        sequences: float tensor (batch, time, features).
        mask: bool tensor (batch, time), True at real steps; None means that all are.

    Output:
        float tensor (batch, features), or (batch, 2 * features) for "max+mean". A sequence without a real step,
        and one of zero steps, gives zeros.

    Reference:
        Collobert and Weston, "A Unified Architecture for Natural Language Processing", ICML 2008 (max over time).

    Example:
        >>> import numpy as np
        >>> x = np.array([[[1.0], [4.0], [9.0]]])
        >>> MaskedPooling("max+mean")(x, mask=np.array([[True, True, False]])).numpy().tolist()
        [[4.0, 2.5]]
    """

    def __init__(self, mode: str = "max", **kwargs):
        super().__init__(**kwargs)
        if mode not in POOLINGS:
            raise ValueError(f"mode must be one of {', '.join(POOLINGS)}, got {mode!r}")
        self.mode = mode
        self.supports_masking = True

    def call(self, sequences, mask=None):
        if mask is None:
            mask = ops.ones(ops.shape(sequences)[:2], dtype="bool")
        real = ops.cast(mask, sequences.dtype)[..., None]
        pooled = [self._pool(mode, sequences, real) for mode in self.mode.split("+")]
        return pooled[0] if len(pooled) == 1 else ops.concatenate(pooled, axis=-1)

    @staticmethod
    def _pool(mode, sequences, real):
        if mode == "mean":
            return ops.sum(sequences * real, axis=1) / ops.maximum(ops.sum(real, axis=1), 1)
        if mode == "max":
            # A first step of lowest value keeps the maximum of zero steps defined.
            lowest = ops.cast(-3e38 if sequences.dtype != "float16" else -6e4, sequences.dtype)
            highest = ops.max(ops.where(real > 0, sequences, lowest), axis=1, initial=-3e38)
            return ops.where(ops.max(real, axis=1, initial=0) > 0, highest, ops.zeros_like(highest))
        # The last real step is the one after which no real step comes.
        after = ops.flip(ops.cumsum(ops.flip(real, axis=1), axis=1), axis=1) - real
        return ops.sum(sequences * real * ops.cast(after == 0, sequences.dtype), axis=1)

    def compute_mask(self, sequences, mask=None):
        return None

    def compute_output_shape(self, sequences_shape):
        return (sequences_shape[0], sequences_shape[-1] * len(self.mode.split("+")))

    def get_config(self):
        return {**super().get_config(), "mode": self.mode}
