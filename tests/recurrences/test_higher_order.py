"""Gradients of gradients and forward mode: on every engine the numbers of Keras's loop."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import layers
from rnnapps.recurrences import Weights, recur, use_engine
from tests.recurrences.test_against_keras import CELLS, Case, assert_equal, holed_mask

STEPS = 5


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


@pytest.mark.parametrize("in_function", (False, True))
@pytest.mark.parametrize(
    "name, options",
    (
        ("SimpleRNN", {}),
        ("GRU", {"reset_after": False}),
        ("GRU", {"return_sequences": True, "go_backwards": True}),
        ("LSTM", {"return_sequences": True}),
    ),
)
def test_a_gradient_penalty_is_that_of_keras(name, options, in_function):
    theirs, ours = pair(name, **options)
    penalty = tf.function(gradient_penalty, autograph=False) if in_function else gradient_penalty
    assert_equal(penalty(ours, draw(2, STEPS, 3)), gradient_penalty(theirs, draw(2, STEPS, 3)))


def test_a_hessian_of_any_length_is_that_of_keras():
    theirs, ours = pair("LSTM")

    @tf.function(input_signature=[tf.TensorSpec((2, None, 3), tf.float64)], autograph=False)
    def hessian(x):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(ours(x) ** 2)
            gradient = inner.gradient(loss, x)
        return outer.jacobian(gradient, x, experimental_use_pfor=False)

    for steps in (1, 3):
        x = draw(2, steps, 3)
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                loss = tf.reduce_sum(theirs(x) ** 2)
            gradient = inner.gradient(loss, x)
        assert_equal([hessian(x)], [outer.jacobian(gradient, x, experimental_use_pfor=False)])


@pytest.mark.parametrize("in_function", (False, True))
@pytest.mark.parametrize("name", ("SimpleRNN", "GRU", "LSTM"))
def test_forward_mode_is_that_of_keras(name, in_function):
    theirs, ours = pair(name, return_sequences=True)
    x, direction = draw(2, STEPS, 3), draw(2, STEPS, 3, seed=2)

    def derivative(layer):
        with tf.autodiff.ForwardAccumulator(x, direction) as accumulator:
            y = layer(x)
        return accumulator.jvp(y)

    run = tf.function(lambda: derivative(ours), autograph=False) if in_function else lambda: derivative(ours)
    assert_equal([run()], [derivative(theirs)])


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


@pytest.mark.parametrize("name", ("GRU", "LSTM"))
def test_the_native_engine_has_them_too(name):
    theirs, ours = (
        getattr(library, name)(4, dtype="float32", return_sequences=True) for library in (keras.layers, layers)
    )
    x = tf.cast(draw(2, STEPS, 3), tf.float32)
    theirs(x), ours(x)
    ours.set_weights(theirs.get_weights())
    assert_equal(gradient_penalty(ours, x), gradient_penalty(theirs, x), 1e-4)


@pytest.mark.parametrize("engine", ("auto", "keras"))
@pytest.mark.parametrize("options", ({"unroll": False}, {"unroll": True}))
def test_keras_loop_by_name(engine, options):
    theirs, ours = pair("LSTM", **options)
    ours = layers.LSTM.from_config({**ours.get_config(), "engine": engine})
    ours.build((2, STEPS, 3))
    ours.set_weights(theirs.get_weights())
    assert ours.get_config()["engine"] == engine
    assert (ours.engine == "keras loop: engine='keras'") == (engine == "keras")
    assert_equal(gradient_penalty(ours, draw(2, STEPS, 3)), gradient_penalty(theirs, draw(2, STEPS, 3)))


def test_an_engine_that_a_layer_cannot_have_is_refused():
    with pytest.raises(ValueError, match=r"`engine` must be 'auto' or 'keras' .*, got 'fast'"):
        layers.LSTM(2, engine="fast")
    with pytest.raises(ValueError, match=r"truncate=4 .*engine='keras'"):
        layers.LSTM(2, engine="keras", truncate=4)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("options", ({}, {"truncate": 4}, {"gradient_clip": 0.4}, {"checkpoint_every": 4}))
def test_the_loop_behind_them_has_our_own_first_derivatives(cell, options):
    """Forward mode against the hand-written backward pass: v · (J u) is (v J) · u, masks and options included."""
    case = Case(cell, go_backwards=cell == "gru")
    weights = Weights(*(variable.value for variable in case.layer.weights))
    mask = holed_mask(case)
    direction = tf.constant(case.random.normal(size=case.inputs.shape))

    def run(x):
        return recur(cell, x, case.states, weights, mask=mask, go_backwards=case.reverse, engine="graph", **options)

    with tf.autodiff.ForwardAccumulator(case.inputs, direction) as accumulator:
        outputs, states = run(case.inputs)
    forwards = case.loss(*(accumulator.jvp(one) for one in (outputs, states)))
    with tf.GradientTape() as tape:
        tape.watch(case.inputs)
        loss = case.loss(*run(case.inputs))
    if "gradient_clip" in options:
        pytest.skip("clipping is not linear: there is no such product")
    assert_equal([forwards], [tf.reduce_sum(tape.gradient(loss, case.inputs) * direction)])


def test_use_engine_changes_no_second_derivative():
    _, ours = pair("GRU", return_sequences=True)
    with use_engine("graph"):
        expected = gradient_penalty(ours, draw(2, STEPS, 3))
    assert_equal(gradient_penalty(ours, draw(2, STEPS, 3)), expected)
