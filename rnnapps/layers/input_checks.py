"""Sequences and masks that do not fit a layer, told before any loop runs, the same for every engine."""

from __future__ import annotations

import keras

from rnnapps.layers.recurrent_cell import RecurrentCell, Tensor


def check_inputs(layer: keras.layers.Layer, sequences: Tensor, mask: Tensor | None) -> None:
    """Refuses sequences of another width than those that the layer was built for, and masks of another shape.

    Raises:
        ValueError: The number of features differs; or that of steps or sequences of the mask, where both are known.
    """
    _check_features(layer, sequences)
    if mask is not None:
        _check_mask(layer, mask, sequences)


def _check_features(layer: keras.layers.Layer, sequences: Tensor) -> None:
    kernel = getattr(layer.cell, "kernel", None) if isinstance(layer.cell, RecurrentCell) else None
    if kernel is not None and sequences.shape[-1] not in (None, kernel.shape[0]):
        raise ValueError(
            f"{type(layer).__name__} {layer.name!r} was built for sequences with {kernel.shape[0]} features, "
            f"got sequences of shape {tuple(sequences.shape)}"
        )


def _check_mask(layer: keras.layers.Layer, mask: Tensor, sequences: Tensor) -> None:
    """One row of a mask fits every batch."""
    for axis, fits in ((0, (None, 1)), (1, (None,))):
        known = sequences.shape[axis]
        if known is not None and mask.shape[axis] not in (*fits, known):
            raise ValueError(
                f"the mask of {type(layer).__name__} {layer.name!r} must have the shape (batch, time) of its "
                f"sequences, {tuple(sequences.shape[:2])}, got {tuple(mask.shape)}"
            )
