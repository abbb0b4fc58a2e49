"""The recurrent layers under test, beside Keras's and the reference cell that each must equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from rnnapps import layers as ours


class Case(NamedTuple):
    ours: Callable[..., ours.Recurrent]
    keras: Callable[..., keras.layers.RNN]
    arguments: dict[str, Any]

    def pair(self, units: int, **arguments: Any) -> tuple[ours.Recurrent, keras.layers.RNN]:
        """Our layer and Keras's, made of the same arguments."""
        arguments = {**self.arguments, **arguments}
        return self.ours(units, **arguments), self.keras(units, **arguments)


CASES = {
    "rnn": Case(ours.SimpleRNN, keras.layers.SimpleRNN, {}),
    "gru": Case(ours.GRU, keras.layers.GRU, {"reset_after": False}),
    "gru_reset_after": Case(ours.GRU, keras.layers.GRU, {"reset_after": True}),
    "lstm": Case(ours.LSTM, keras.layers.LSTM, {}),
}

# One kind of mask a row: right-padded, holes at either end, a hole inside, nothing left.
MASKS = {
    "no mask": None,
    "masked": np.array([[True, True, False], [False, True, False], [True, False, True], [False, False, False]]),
}


def randomise(layer: keras.layers.Layer, seed: int = 0) -> None:
    """Weights large enough to bend every gate, biases included."""
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, 0.5, weight.shape) for weight in layer.weights])


def results_and_gradients(
    layer: keras.layers.Layer, sequences: np.ndarray, initial_state: list[np.ndarray] | None, **arguments: Any
) -> list[tf.Tensor]:
    """Everything a layer returns, and the gradients of a loss that weighs all of it, of inputs, states and weights."""
    sequences = tf.convert_to_tensor(sequences)
    states = None if initial_state is None else [tf.convert_to_tensor(state) for state in initial_state]
    sources = [sequences, *(states or []), *(weight.value for weight in layer.trainable_weights)]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        results = keras.tree.flatten(layer(sequences, initial_state=states, **arguments))
        loss = sum(tf.reduce_sum(tf.sin(result + index)) for index, result in enumerate(results))
    gradients = tape.gradient(loss, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return [*results, *gradients]
