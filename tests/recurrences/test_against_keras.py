"""The fused recurrences against `keras.layers`: values, states and every gradient."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.recurrences import Weights, recur

CELLS = ("rnn", "gru", "gru_reset_after", "lstm")
BATCH, STEPS, FEATURES, UNITS = 3, 19, 4, 5  # in a plain graph two iterations of the loop and three steps left over


def keras_layer(cell: str, **options) -> keras.layers.Layer:
    if cell == "gru":
        options["reset_after"] = False
    layer = {"rnn": keras.layers.SimpleRNN, "lstm": keras.layers.LSTM}.get(cell, keras.layers.GRU)
    return layer(UNITS, return_sequences=True, return_state=True, **options)


class Case:
    """A Keras layer with random weights, an input, initial states, and a random direction for the gradient."""

    def __init__(self, cell: str, steps: int = STEPS, dtype: str = "float64", seed: int = 0, **options) -> None:
        random = np.random.default_rng(seed)
        self.cell, self.dtype = cell, dtype
        self.reverse = options.get("go_backwards", False)
        self.layer = keras_layer(cell, dtype=dtype, **options)
        self.layer.build((BATCH, steps, FEATURES))
        for variable in self.layer.weights:
            variable.assign(random.normal(scale=0.5, size=variable.shape))

        def draw(*shape: int) -> tf.Tensor:
            return tf.cast(random.normal(size=shape), self.layer.compute_dtype)

        self.inputs = draw(BATCH, steps, FEATURES)
        self.states = [draw(BATCH, UNITS) for _ in self.layer.state_size]
        self.d_outputs = draw(BATCH, steps, UNITS)
        self.d_states = [draw(BATCH, UNITS) for _ in self.states]
        self.random = random

    def loss(self, outputs, states):
        loss = tf.reduce_sum(outputs * self.d_outputs)
        return loss + sum(tf.reduce_sum(a * b) for a, b in zip(states, self.d_states, strict=True))

    def keras(self, mask=None):
        """Outputs, states, and the gradients of inputs, states and weights."""
        weights = [variable.value for variable in self.layer.weights]
        with tf.GradientTape() as tape:
            tape.watch([self.inputs, *self.states])
            outputs, *states = self.layer(self.inputs, initial_state=list(self.states), mask=mask)
            if self.reverse:
                outputs = outputs[:, ::-1]
            loss = self.loss(outputs, states)
        return [outputs, *states, *tape.gradient(loss, [self.inputs, *self.states, *weights])]

    def ours(self, inputs, states, mask=None, **options):
        weights = [tf.cast(variable.value, inputs.dtype) for variable in self.layer.weights]
        with tf.GradientTape() as tape:
            tape.watch([inputs, *states, *weights])
            outputs, last = recur(
                self.cell, inputs, states, Weights(*weights), mask=mask, go_backwards=self.reverse, **options
            )
            loss = self.loss(outputs, last)
        return [outputs, *last, *tape.gradient(loss, [inputs, *states, *weights])]


def assert_equal(ours, theirs, tolerance=1e-10):
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(np.asarray(mine), np.asarray(other), rtol=tolerance, atol=tolerance)


def holed_mask(case: Case, steps: int = STEPS) -> tf.Tensor:
    """Right padding in one row, holes in another, none in the third; the first step read counts in all."""
    mask = case.random.random((BATCH, steps)) > 0.4
    mask[0] = np.arange(steps) < steps // 2
    mask[2] = True
    mask[:, -1 if case.reverse else 0] = True
    return tf.constant(mask)


@pytest.mark.parametrize("cell, reverse", (*((cell, False) for cell in CELLS), ("lstm", True)))
def test_values_and_gradients_are_those_of_keras(cell, reverse):
    case = Case(cell, go_backwards=reverse)
    assert_equal(case.ours(case.inputs, case.states), case.keras())


@pytest.mark.parametrize("reverse", (False, True))
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.sampled
def test_masked_steps_hold_the_states(cell, reverse):
    case = Case(cell, go_backwards=reverse)
    mask = holed_mask(case)
    assert_equal(case.ours(case.inputs, case.states, mask), case.keras(mask))


@pytest.mark.parametrize("cell", CELLS)
def test_no_bias(cell):
    case = Case(cell, steps=5, use_bias=False)
    assert_equal(case.ours(case.inputs, case.states), case.keras())


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.sampled
def test_xla_gives_the_same(cell):
    case = Case(cell, steps=7)
    mask = holed_mask(case, 7)
    compiled = tf.function(case.ours, jit_compile=True, autograph=False)
    assert_equal(compiled(case.inputs, case.states, mask), case.keras(mask))


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.sampled
def test_one_graph_runs_any_length_and_batch(cell):
    """Zero steps, fewer steps than an iteration has, a whole number of iterations, and some left over."""
    case = Case(cell)
    weights = Weights(*(variable.value for variable in case.layer.weights))

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec((None, None, FEATURES), tf.float64),
            [tf.TensorSpec((None, UNITS), tf.float64)] * len(case.states),
        ],
    )
    def any_length(inputs, states):
        with tf.GradientTape() as tape:
            tape.watch([inputs, *states])
            outputs, last = recur(cell, inputs, states, weights)
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(one) for one in last)
        return [outputs, *last, *tape.gradient(loss, [inputs, *states, *weights])]

    for steps in (0, 3, 19):
        inputs, states = case.inputs[:2, :steps], [state[:2] for state in case.states]
        ours = any_length(inputs, states)
        if steps == 0:
            assert_equal(ours[1 : 1 + len(states)], states)
            assert all(not np.any(gradient) for gradient in ours[2 + 2 * len(states) :])
            continue
        with tf.GradientTape() as tape:
            tape.watch([inputs, *states])
            outputs, *last = case.layer(inputs, initial_state=list(states))
            loss = tf.reduce_sum(outputs**2) + sum(tf.reduce_sum(one) for one in last)
        assert_equal(ours, [outputs, *last, *tape.gradient(loss, [inputs, *states, *weights])])
    outputs, *rest = any_length(case.inputs[:0], [state[:0] for state in case.states])
    assert outputs.shape == (0, STEPS, UNITS)
    assert all(np.all(np.isfinite(one)) for one in rest)


@pytest.mark.parametrize("cell", ("gru", "lstm"))
def test_no_steps_give_back_the_initial_state(cell):
    case = Case(cell, steps=0)
    outputs, *rest = case.ours(case.inputs, case.states)
    count = len(case.states)
    assert outputs.shape == (BATCH, 0, UNITS)
    assert_equal(rest[:count], case.states)
    assert_equal(rest[count + 1 : 2 * count + 1], case.d_states)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.sampled
def test_bfloat16_stays_close_to_float32(cell):
    case = Case(cell, dtype="float32")
    exact = case.keras()
    case.d_outputs = tf.cast(case.d_outputs, tf.bfloat16)
    case.d_states = [tf.cast(one, tf.bfloat16) for one in case.d_states]
    ours = case.ours(tf.cast(case.inputs, tf.bfloat16), [tf.cast(one, tf.bfloat16) for one in case.states])
    for mine, other in zip(ours, exact, strict=True):
        assert mine.dtype == tf.bfloat16
        error = np.linalg.norm(tf.cast(mine, tf.float32) - other) / np.linalg.norm(other)
        assert error < 0.05


@pytest.mark.parametrize("cell", CELLS)
def test_recurrent_dropout_reaches_the_products_only(cell):
    """A mask on h_{t-1} in the products, against the step of a cell written with `keras.ops`."""
    from rnnapps import layers

    case = Case(cell, steps=6)
    dropped = tf.constant(case.random.choice([0.0, 2.0], size=(BATCH, UNITS)))
    ours = case.ours(case.inputs, case.states, recurrent_dropout_mask=dropped)

    options = {"reset_after": cell == "gru_reset_after"} if cell.startswith("gru") else {}
    cell_class = {"rnn": layers.SimpleRNNCell, "lstm": layers.LSTMCell}.get(cell, layers.GRUCell)
    step = cell_class(UNITS, recurrent_dropout=0.5, dtype="float64", **options)
    step.build((BATCH, FEATURES))
    step.set_weights(case.layer.get_weights())
    step._recurrent_dropout_mask = dropped
    with tf.GradientTape() as tape:
        tape.watch([case.inputs, *case.states])
        states, outputs = list(case.states), []
        for t in range(6):
            output, states = step(case.inputs[:, t], states, training=True)
            outputs.append(output)
        outputs = tf.stack(outputs, axis=1)
        loss = case.loss(outputs, states)
    gradients = tape.gradient(loss, [case.inputs, *case.states, *(one.value for one in step.weights)])
    assert_equal(ours, [outputs, *states, *gradients])


def test_a_tape_around_a_function_traced_without_one():
    """The function was traced for inference and kept nothing; its gradient is right all the same."""
    case = Case("lstm")
    weights = Weights(*(variable.value for variable in case.layer.weights))

    @tf.function(autograph=False)
    def infer(inputs):
        return recur("lstm", inputs, case.states, weights)[0]

    infer(case.inputs)
    with tf.GradientTape() as tape:
        tape.watch(case.inputs)
        loss = tf.reduce_sum(infer(case.inputs) * case.d_outputs)
    late = tape.gradient(loss, case.inputs)
    with tf.GradientTape() as tape:
        tape.watch(case.inputs)
        outputs, _ = recur("lstm", case.inputs, case.states, weights)
        loss = tf.reduce_sum(outputs * case.d_outputs)
    assert_equal([late], [tape.gradient(loss, case.inputs)])


def test_inference_keeps_outputs_only():
    """Without a tape the loop carries the states and one list: that of the outputs."""
    case = Case("lstm")
    weights = Weights(*(variable.value for variable in case.layer.weights))
    graph = tf.function(lambda x: recur("lstm", x, case.states, weights)[0]).get_concrete_function(case.inputs).graph
    (loop,) = [one for one in graph.get_operations() if one.type in ("While", "StatelessWhile")]
    assert sum(one.dtype == tf.variant for one in loop.outputs) == 1
