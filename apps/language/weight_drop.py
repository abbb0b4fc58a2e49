"""DropConnect on the recurrent kernel: in each batch, some of the state-to-state weights are zero.

Reference:
    Merity et al., Regularizing and optimizing LSTM language models, ICLR 2018, section 2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

from rnnapps.layers.recurrent_cell import RecurrentCell


@contextlib.contextmanager
def dropped_weights(cell: RecurrentCell, rate: float, seed: keras.random.SeedGenerator) -> Iterator[None]:
    """Within the block, dropout is applied to the cell's recurrent kernel, with the same mask at all steps.

    Args:
        cell: A built cell.
        rate: Share of the weights that are zero; the others are scaled up by 1 / (1 - rate).
        seed: Draws them.
    """
    kernel = cell.recurrent_kernel
    # Bypasses Keras's attribute tracking: the variable still belongs to the cell.
    cell.__dict__["recurrent_kernel"] = keras.random.dropout(kernel, rate, seed=seed)
    try:
        yield
    finally:
        cell.__dict__["recurrent_kernel"] = kernel
