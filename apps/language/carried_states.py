"""The states of parallel streams of text at the end of a batch, kept for the next batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf


class CarriedStates(keras.layers.Layer):
    """Variables for the states of a batch. Checkpoints contain them, so a resumed run continues; saved models do not.

    Under a distribution strategy every replica holds the states of the whole batch and uses those of its own rows.

    Args:
        streams: Maximum number of rows in a batch.
        sizes: The width of each state.
    """

    def __init__(self, streams: int, sizes: Sequence[int]) -> None:
        super().__init__(name="carried_states", dtype="float32")
        self.states = [
            keras.Variable(
                "zeros",
                shape=(streams, size),
                dtype="float32",
                trainable=False,
                aggregation="only_first_replica",
                synchronization="on_read",
                name=f"state_{number}",
            )
            for number, size in enumerate(sizes)
        ]
        self.built = True

    def after_reset(self, reset: tf.Tensor) -> list[tf.Tensor]:
        """The states of the streams, one per row of `reset`, bool `(rows,)`; zeros where it is true."""
        rows, first = tf.shape(reset)[0], 0
        if _replicas() > 1:
            replica = tf.distribute.get_replica_context()
            total = replica.all_reduce("SUM", rows)
            first = replica.replica_id_in_sync_group * total // _replicas()
        return [tf.where(reset[:, None], 0.0, state.value[first : first + rows]) for state in self.states]

    def keep(self, states: Sequence[tf.Tensor]) -> None:
        """Keeps the states for the next batch; no gradient goes through them."""
        for variable, state in zip(self.states, states, strict=True):
            state = tf.cast(state, tf.float32)
            if _replicas() > 1:
                state = tf.distribute.get_replica_context().all_gather(state, axis=0)
            variable.assign(tf.concat([state, variable.value[tf.shape(state)[0] :]], axis=0))

    def save_own_variables(self, store: Any) -> None:
        """Saves nothing: a loaded model starts with new texts."""

    def load_own_variables(self, store: Any) -> None:
        """Loads nothing."""


def _replicas() -> int:
    """Number of replicas that share a batch; 1 outside of training."""
    if tf.distribute.in_cross_replica_context():
        return 1
    return tf.distribute.get_strategy().num_replicas_in_sync
