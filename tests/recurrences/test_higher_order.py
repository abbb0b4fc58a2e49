"""Gradients of gradients and forward mode: on every engine the numbers of Keras's loop."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import layers
from rnnapps.recurrences import Weights, recur
from tests.recurrences.test_against_keras import CELLS, Case, assert_equal, holed_mask

STEPS = 3


def pair(name: str, **options) -> tuple[keras.layers.Layer, keras.layers.Layer]:
    """A layer of Keras and ours with the same weights, both drawn at random."""
    theirs, ours = (getattr(library, name)(4, dtype="float64", **options) for library in (keras.layers, layers))
    random = np.random.default_rng(0)
    for layer in (theirs, ours):
        layer.build((2, None, 3))
    theirs.set_weights([random.normal(size=weight.shape) for weight in theirs.weights])
    ours.set_weights(theirs.get_weights())
    return theirs, ours


def draw(*shape: int, seed: int = 1) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=shape))


def gradient_penalty(layer, x):
    """As a critic of WGAN-GP is trained: the gradients of the weights of a norm of the gradient of the inputs."""
    variables = [variable.value for variable in layer.trainable_variables]
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            inner.watch(x)
            score = tf.reduce_sum(layer(x) ** 2)
        norm = tf.sqrt(tf.reduce_sum(inner.gradient(score, x) ** 2, axis=(1, 2)))
        penalty = tf.reduce_mean((norm - 1) ** 2) + score
    return [penalty, *outer.gradient(penalty, variables)]


@pytest.mark.parametrize(
    "name, in_function, options",
    (
        ("SimpleRNN", False, {}),
        ("GRU", True, {"reset_after": False}),
        ("GRU", False, {"return_sequences": True, "go_backwards": True}),
        ("LSTM", True, {"return_sequences": True}),
    ),
)
def test_a_gradient_penalty_is_that_of_keras(name, in_function, options):
    theirs, ours = pair(name, **options)
    penalty = tf.function(gradient_penalty, autograph=False) if in_function else gradient_penalty
    expected = tf.function(gradient_penalty, autograph=False)(theirs, draw(2, STEPS, 3))
    assert_equal(penalty(ours, draw(2, STEPS, 3)), expected)


@pytest.mark.parametrize("name", ["GRU", "LSTM"])
def test_tapes_around_a_function_of_a_masked_layer(name):
    theirs, ours = pair(name)
    x, mask = draw(2, STEPS, 3), tf.constant([[True, False, True], [True, True, False]])

    def penalty(layer):
        masked = tf.function(lambda x, mask: layer(x, mask=mask), autograph=False)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                score = tf.reduce_sum(masked(x, mask) ** 2)
            norm = tf.reduce_sum(inner.gradient(score, x) ** 2)
        return outer.gradient(norm, x)

    np.testing.assert_allclose(penalty(ours), penalty(theirs), atol=1e-9)


def test_the_native_engine_has_one_too():
    theirs, ours = (library.LSTM(4, dtype="float32") for library in (keras.layers, layers))
    x = tf.cast(draw(2, STEPS, 3), tf.float32)
    theirs(x), ours(x)
    ours.set_weights(theirs.get_weights())
    expected = tf.function(gradient_penalty, autograph=False)(theirs, x)
    assert_equal(gradient_penalty(ours, x), expected, 1e-4)


def test_a_hessian_of_any_length_is_that_of_keras():
    def hessian(layer):
        @tf.function(input_signature=[tf.TensorSpec((1, None, 3), tf.float64)], autograph=False)
        def run(x):
            with tf.GradientTape() as outer:
                outer.watch(x)
                with tf.GradientTape() as inner:
                    inner.watch(x)
                    loss = tf.reduce_sum(layer(x) ** 2)
                gradient = inner.gradient(loss, x)
            return outer.jacobian(gradient, x, experimental_use_pfor=False)

        return run

    theirs, ours = map(hessian, pair("LSTM"))
    for steps in (1, 2):
        assert_equal([ours(draw(1, steps, 3))], [theirs(draw(1, steps, 3))])


def derivative(layer, x, direction):
    with tf.autodiff.ForwardAccumulator(x, direction) as accumulator:
        y = layer(x)
    return accumulator.jvp(y)


@pytest.mark.parametrize("name", ("GRU", "LSTM"))
def test_forward_mode_is_that_of_keras(name):
    theirs, ours = pair(name, return_sequences=True)
    x, direction = draw(2, STEPS, 3), draw(2, STEPS, 3, seed=2)
    expected = derivative(theirs, x, direction)
    assert_equal([derivative(ours, x, direction)], [expected])
    around_a_function = derivative(tf.function(ours, autograph=False), x, direction)
    in_a_function = tf.function(lambda x, d: derivative(ours, x, d), autograph=False)(x, direction)
    assert_equal([around_a_function, in_a_function], [expected] * 2)


def test_forward_over_backward_is_that_of_keras():
    theirs, ours = pair("GRU")
    x, direction = draw(2, STEPS, 3), draw(2, STEPS, 3, seed=2)

    def product_with_the_hessian(layer):
        with tf.autodiff.ForwardAccumulator(x, direction) as accumulator:
            with tf.GradientTape() as tape:
                tape.watch(x)
                loss = tf.reduce_sum(layer(x) ** 2)
            gradient = tape.gradient(loss, x)
        return accumulator.jvp(gradient)

    assert_equal([product_with_the_hessian(ours)], [product_with_the_hessian(theirs)])


@pytest.mark.parametrize("cell", CELLS)
def test_the_loop_behind_them_agrees_with_the_backward_pass_written_by_hand(cell):
    """Forward mode against backward mode, masked and truncated: v · (J u) is (v J) · u."""
    case = Case(cell, steps=7, go_backwards=cell == "gru")
    weights = Weights(*(variable.value for variable in case.layer.weights))
    mask = holed_mask(case, 7)
    direction = tf.constant(case.random.normal(size=case.inputs.shape))

    def run(x):
        return recur(cell, x, case.states, weights, mask=mask, go_backwards=case.reverse, truncate=3, engine="graph")

    with tf.autodiff.ForwardAccumulator(case.inputs, direction) as accumulator:
        outputs, states = run(case.inputs)
    forwards = case.loss(accumulator.jvp(outputs), [accumulator.jvp(state) for state in states])
    with tf.GradientTape() as tape:
        tape.watch(case.inputs)
        loss = case.loss(*run(case.inputs))
    assert_equal([forwards], [tf.reduce_sum(tape.gradient(loss, case.inputs) * direction)])


def test_a_clipped_gradient_has_a_derivative():
    """Where nothing reaches the bound it is that without a bound, where all of it does it is zero."""
    _, ours = pair("SimpleRNN")
    x = draw(2, 1, 3)

    def of_the_penalty(clip):
        layer = layers.SimpleRNN.from_config({**ours.get_config(), "gradient_clip": clip})
        layer.build(x.shape)
        layer.set_weights(ours.get_weights())
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(layer(x) ** 2)
            gradient = inner.gradient(loss, x)
        return outer.gradient(gradient, x)

    assert_equal([of_the_penalty(1e6)], [of_the_penalty(None)])
    assert not np.allclose(of_the_penalty(1e-3), of_the_penalty(None), rtol=0.1)


def test_keras_loop_by_name():
    theirs, ours = pair("LSTM")
    by_name = layers.LSTM.from_config({**ours.get_config(), "engine": "keras"})
    by_name.build((2, STEPS, 3))
    by_name.set_weights(theirs.get_weights())
    assert by_name.get_config()["engine"] == "keras"
    assert by_name.engine == "keras loop: engine='keras'"
    x, direction = draw(2, STEPS, 3), draw(2, STEPS, 3, seed=2)
    assert_equal([derivative(by_name, x, direction)], [derivative(theirs, x, direction)])


def test_an_engine_that_a_layer_cannot_have_is_refused():
    with pytest.raises(ValueError, match=r"`engine` must be 'auto' or 'keras' .*, got 'fast'"):
        layers.LSTM(2, engine="fast")
    with pytest.raises(ValueError, match=r"truncate=4 .*engine='keras'"):
        layers.LSTM(2, engine="keras", truncate=4)


def test_nan_in_a_masked_step_changes_no_derivative():
    layer = layers.GRU(5)
    inputs = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    mask = np.array([[True, True, False], [True, True, True]])
    layer.build(inputs.shape)
    weights = [weight.value for weight in layer.weights]
    found = []
    for masked in (0.0, np.nan):
        inputs[~mask] = masked
        with tf.GradientTape() as outer:
            with tf.GradientTape() as inner:
                loss = tf.reduce_sum(layer(tf.constant(inputs), mask=mask) ** 2)
            gradients = inner.gradient(loss, weights)
            penalty = tf.add_n([tf.reduce_sum(gradient**2) for gradient in gradients])
        found.append([*gradients, *outer.gradient(penalty, weights)])
    for this, that in zip(*found, strict=True):
        np.testing.assert_array_equal(this, that)
