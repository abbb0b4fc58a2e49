"""Initial states and masks: wrong ones are one ValueError whatever runs the loop, those of batch 1 are repeated."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import (
    GRU,
    LSTM,
    AdditiveAttention,
    AttentionCell,
    Bidirectional,
    GRUCell,
    LSTMCell,
    Recurrent,
    SimpleRNN,
    Stacked,
)
from rnnapps.recurrences.engines import use_engine
from tests.layers.cases import randomise

SEQUENCES = np.random.default_rng(0).normal(size=(3, 5, 4)).astype("float32")


def states(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    return [np.random.default_rng(i).normal(size=shape).astype("float32") for i, shape in enumerate(shapes)]


# A layer, states that do not fit it, and the shapes that the message names as expected and as given.
WRONG = {
    "one state of two": (lambda: LSTM(2, name="a"), [(3, 2)], "LSTM 'a' must be 2 tensors", "got 1: (3, 2)"),
    "three states": (lambda: LSTM(2), [(3, 2)] * 3, "2 tensors of shape (3, 2), (3, 2)", "got 3: (3, 2)"),
    "two states of one": (lambda: GRU(2), [(3, 2)] * 2, "1 tensor of shape (3, 2)", "got 2: (3, 2), (3, 2)"),
    "no state": (lambda: SimpleRNN(2), [], "1 tensor of shape (3, 2)", "got 0: none"),
    "wrong width": (lambda: GRU(2), [(3, 5)], "1 tensor of shape (3, 2)", "got 1: (3, 5)"),
    "wrong width of the second": (lambda: LSTM(2), [(3, 2), (3, 1)], "(3, 2), (3, 2)", "got 2: (3, 2), (3, 1)"),
    "wrong batch": (lambda: SimpleRNN(2), [(2, 2)], "(3, 2)", "got 1: (2, 2)"),
    "wrong rank": (lambda: GRU(2), [(2,)], "(3, 2)", "got 1: (2,)"),
    "Keras's loop": (lambda: LSTM(2, activation="softsign"), [(3, 2)], "2 tensors", "got 1: (3, 2)"),
    "unrolled": (lambda: GRU(2, unroll=True), [(3, 5)], "1 tensor of shape (3, 2)", "got 1: (3, 5)"),
    "any cell": (lambda: Recurrent(LSTMCell(2)), [(3, 2), (3, 3)], "(3, 2), (3, 2)", "got 2: (3, 2), (3, 3)"),
    "a cell of Keras": (lambda: Recurrent(keras.layers.GRUCell(2)), [(3, 3)], "(3, 2)", "got 1: (3, 3)"),
    "half of a Bidirectional": (
        lambda: Bidirectional(LSTM(2), name="b"),
        [(3, 2)] * 2,
        "Bidirectional 'b' must be 4 tensors of shape (3, 2), (3, 2), (3, 2), (3, 2)",
        "got 2: (3, 2), (3, 2)",
    ),
    "the backward layer's": (lambda: Bidirectional(GRU(2)), [(3, 2), (3, 3)], "2 tensors", "got 2: (3, 2), (3, 3)"),
    "a Bidirectional of Keras's layer": (lambda: Bidirectional(keras.layers.GRU(2)), [(3, 2)], "2 tensors", "got 1"),
    "too many for a stack": (
        lambda: Stacked([GRU(2), LSTM(3)]),
        [(3, 2), (3, 3), (3, 3), (3, 3)],
        "3 tensors",
        "got 4",
    ),
    "the upper layer's": (lambda: Stacked([GRU(2), LSTM(3)]), [(3, 2), (3, 2), (3, 3)], "(3, 3), (3, 3)", "got 3"),
    "in both": (lambda: Stacked([Bidirectional(GRU(2)), GRU(3)]), [(3, 2)] * 3, "3 tensors", "got 3"),
    "cells on top of each other": (lambda: Recurrent([GRUCell(2), LSTMCell(3)]), [(3, 2)], "2 tensors", "got 1"),
}


@pytest.mark.parametrize("mode", ["eager", "graph engine", "function", "symbolic"])
@pytest.mark.parametrize("name", WRONG)
def test_states_that_do_not_fit_are_one_error(name: str, mode: str) -> None:
    make, shapes, expected, given = WRONG[name]
    layer = make()
    with pytest.raises(ValueError) as error:
        if mode == "symbolic":
            if not shapes:
                pytest.skip("Keras drops an empty list")
            initial_state = [keras.KerasTensor(shape) for shape in shapes]
            layer(keras.Input(SEQUENCES.shape[1:], batch_size=3), initial_state=initial_state)
        else:
            run = tf.function(layer) if mode == "function" else layer
            with use_engine("graph" if mode == "graph engine" else "auto"):
                run(SEQUENCES, initial_state=states(*shapes))
    assert expected in str(error.value) and given in str(error.value)


def test_an_unknown_batch_is_not_named() -> None:
    with pytest.raises(ValueError, match=r"2 tensors of shape \(batch, 2\), \(batch, 2\), got 1: \(None, 2\)"):
        LSTM(2)(keras.Input((None, 4)), initial_state=[keras.Input((2,))])


REPEATED: dict[str, Callable[[], keras.layers.Layer]] = {
    "SimpleRNN": lambda: SimpleRNN(2, return_state=True),
    "GRU": lambda: GRU(2, return_state=True),
    "LSTM": lambda: LSTM(2, return_state=True),
    "LSTM on Keras's loop": lambda: LSTM(2, return_state=True, activation="softsign"),
    "Bidirectional": lambda: Bidirectional(GRU(2, return_state=True)),
    "Stacked": lambda: Stacked([GRU(2), LSTM(2, return_state=True)]),
    "cells": lambda: Recurrent([GRUCell(2), LSTMCell(2)], return_state=True),
}


@pytest.mark.parametrize(("engine", "known"), [("graph", False), ("auto", True)])
@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.sampled
def test_states_of_batch_1_are_repeated_and_gradients_summed(name: str, known: bool, engine: str) -> None:
    layer = REPEATED[name]()
    layer.build(SEQUENCES.shape)
    randomise(layer)
    of_one = layer.get_initial_state(1)
    of_one = keras.tree.map_structure(lambda state: state + 0.5, of_one)
    of_each = keras.tree.map_structure(lambda state: tf.repeat(state, 3, axis=0), of_one)

    def results(sequences: tf.Tensor, *flat_states: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(flat_states)
            packed = keras.tree.pack_sequence_as(of_one, flat_states)
            outputs = keras.tree.flatten(layer(sequences, initial_state=packed))
            loss = sum(tf.reduce_sum(tf.sin(output)) for output in outputs)
        return [*outputs, *tape.gradient(loss, flat_states)]

    if not known:
        signature = [tf.TensorSpec((None, None, 4))] + [tf.TensorSpec((None, 2))] * len(keras.tree.flatten(of_one))
        results = tf.function(results, input_signature=signature)
    with use_engine(engine):
        repeated = results(tf.constant(SEQUENCES), *keras.tree.flatten(of_one))
        expected = results(tf.constant(SEQUENCES), *keras.tree.flatten(of_each))
    count = len(keras.tree.flatten(of_one))
    for actual, wanted in zip(repeated[:-count], expected[:-count], strict=True):
        np.testing.assert_allclose(actual, wanted, atol=1e-6)
    for actual, wanted in zip(repeated[-count:], expected[-count:], strict=True):
        np.testing.assert_allclose(actual, np.sum(wanted, axis=0, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("engine", ["graph", "auto"])
@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.sampled
def test_a_mask_of_batch_1_is_repeated_as_keras_does(name: str, engine: str) -> None:
    layer, mask = REPEATED[name](), np.array([[True, True, False, True, False]])
    layer.build(SEQUENCES.shape)
    randomise(layer)
    with use_engine(engine):
        for run in (layer, tf.function(layer)):
            results = keras.tree.flatten(run(SEQUENCES, mask=mask))
            for actual, expected in zip(
                results, keras.tree.flatten(layer(SEQUENCES, mask=np.repeat(mask, 3, axis=0))), strict=True
            ):
                np.testing.assert_allclose(actual, expected, atol=1e-6)


def test_a_mask_of_batch_1_gives_the_numbers_of_keras() -> None:
    mask = np.array([[True, True, False, True, False]])
    keras_s, our = keras.layers.LSTM(2), LSTM(2)
    expected = keras_s(SEQUENCES, mask=mask)
    our.build(SEQUENCES.shape)
    our.set_weights(keras_s.get_weights())
    np.testing.assert_allclose(our(SEQUENCES, mask=mask), expected, atol=1e-6)


def test_the_states_of_an_attention_cell_are_checked_too() -> None:
    cell = AttentionCell(GRUCell(2), AdditiveAttention(3))
    memory = np.ones((3, 6, 2), "float32")
    own, *others = cell.get_initial_state(memory)
    layer = Recurrent(cell)
    layer(SEQUENCES, initial_state=[own, *others])
    for wrong in ([own, *others[:-1]], [tf.ones((3, 5)), *others], [own, others[0], tf.ones((3, 6, 5)), *others[2:]]):
        with pytest.raises(ValueError, match=r"5 tensors of shape \(3, 2\), \(3, 2\), \(3, any, 2\), \(3, any, any\)"):
            layer(SEQUENCES, initial_state=wrong)
