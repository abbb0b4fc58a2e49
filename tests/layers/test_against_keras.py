"""The same weights and arguments give the same outputs, states and gradients as Keras's layers."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.layers.cases import CASES, MASKS, randomise, results_and_gradients

SEQUENCES = np.random.default_rng(0).normal(size=(4, 3, 3)).astype("float32")
STATES = [np.random.default_rng(seed).normal(size=(4, 2)).astype("float32") for seed in (1, 2)]
BOTH = (True, False)


def assert_equal(ours: list, keras_s: list, message: str = "") -> None:
    assert len(ours) == len(keras_s), message
    for a, b in zip(ours, keras_s, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6, err_msg=message)


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.sampled
def test_every_combination_of_options_gives_the_outputs_and_states_of_keras(name: str, mask: str) -> None:
    for use_bias, stateful in product(BOTH, BOTH):
        ours, keras_s = pair = CASES[name].pair(2, use_bias=use_bias, stateful=stateful, return_state=True)
        for layer in pair:
            layer.build(SEQUENCES.shape)
            randomise(layer)
        options = ("return_sequences", "go_backwards", "unroll")
        for *values, with_state in product(BOTH, repeat=4):
            message = f"{use_bias=} {stateful=} {dict(zip(options, values, strict=True))} {with_state=}"
            for layer in pair:
                for option, value in zip(options, values, strict=True):
                    setattr(layer, option, value)
            call = {"initial_state": STATES[: len(ours.state_size)] if with_state else None, "mask": MASKS[mask]}
            before = [keras.ops.copy(state) for state in ours.states or ()]
            results = ours(SEQUENCES, **call)
            assert_equal(results, keras_s(SEQUENCES, **call), message)
            for variable, state in zip(ours.states or (), before, strict=True):
                variable.assign(state)
            if with_state:
                ours.return_state = False
                assert_equal([ours(SEQUENCES, **call)], results[:1], message)
                ours.return_state = True


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("name", CASES)
def test_gradients_of_weights_inputs_and_states_are_those_of_keras(name: str, mask: str) -> None:
    for use_bias in BOTH:
        ours, keras_s = pair = CASES[name].pair(2, use_bias=use_bias, return_state=True)
        for layer in pair:
            layer.build(SEQUENCES.shape)
            randomise(layer)
        for return_sequences, go_backwards, with_state in product(BOTH, BOTH, [use_bias]):
            for layer in pair:
                layer.return_sequences, layer.go_backwards = return_sequences, go_backwards
            states = STATES[: len(ours.state_size)] if with_state else None
            assert_equal(
                results_and_gradients(ours, SEQUENCES, states, mask=MASKS[mask]),
                results_and_gradients(keras_s, SEQUENCES, states, mask=MASKS[mask]),
                f"{use_bias=} {return_sequences=} {go_backwards=} {with_state=}",
            )


@pytest.mark.parametrize("name", CASES)
def test_unrolled_gradients_are_those_of_keras(name: str) -> None:
    ours, keras_s = pair = CASES[name].pair(2, unroll=True, return_sequences=True)
    for layer in pair:
        layer.build(SEQUENCES.shape)
        randomise(layer)
    mask = MASKS["masked"]
    assert_equal(
        results_and_gradients(ours, SEQUENCES, None, mask=mask),
        results_and_gradients(keras_s, SEQUENCES, None, mask=mask),
    )


@pytest.mark.parametrize("zero_output_for_mask", BOTH)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.sampled
def test_masked_outputs_are_those_of_keras(name: str, zero_output_for_mask: bool) -> None:
    for go_backwards, return_sequences, with_state in product(BOTH, repeat=3):
        ours, keras_s = CASES[name].pair(
            2,
            zero_output_for_mask=zero_output_for_mask,
            go_backwards=go_backwards,
            return_sequences=return_sequences,
        )
        states = STATES[: len(ours.state_size)] if with_state else None
        expected = keras_s(SEQUENCES, mask=MASKS["masked"], initial_state=states)
        ours.build(SEQUENCES.shape)
        ours.set_weights(keras_s.get_weights())
        assert_equal([ours(SEQUENCES, mask=MASKS["masked"], initial_state=states)], [expected])


@pytest.mark.parametrize("jit_compile", BOTH)
@pytest.mark.parametrize("name", CASES)
@pytest.mark.sampled
def test_compiled_gradients_are_those_of_keras(name: str, jit_compile: bool) -> None:
    ours, keras_s = pair = CASES[name].pair(2, return_sequences=True, return_state=True)
    for layer in pair:
        layer.build(SEQUENCES.shape)
        randomise(layer)

    @tf.function(jit_compile=jit_compile)
    def compiled(sequences: tf.Tensor, mask: tf.Tensor) -> list[tf.Tensor]:
        return results_and_gradients(ours, sequences, None, mask=mask)

    results = compiled(tf.constant(SEQUENCES), tf.constant(MASKS["masked"]))
    assert_equal(results, results_and_gradients(keras_s, SEQUENCES, None, mask=MASKS["masked"]))


@pytest.mark.parametrize("jit_compile", BOTH)
@pytest.mark.slow
def test_training_equals_keras(jit_compile: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few steps of Adam on right-padded batches of words give the same losses and weights."""
    if jit_compile:
        monkeypatch.setenv("RNNAPPS_ENGINE", "graph")  # XLA compiles no op of ours
    tokens, labels = np.array([[1, 2, 3, 4, 5], [6, 1, 2, 0, 0]]), np.array([[0.3], [-0.2]], "float32")
    histories = []
    for layer in CASES["lstm"].pair(4):
        model = keras.Sequential([keras.layers.Embedding(7, 3, mask_zero=True), layer, keras.layers.Dense(1)])
        model.build((None, None))
        randomise(model)
        model.compile("adam", "mse", jit_compile=jit_compile)
        assert model.jit_compile is jit_compile
        losses = [model.train_on_batch(tokens, labels) for _ in range(3)]
        histories.append([np.array(losses), *model.get_weights()])
    assert_equal(*histories)


@pytest.mark.parametrize("name", CASES)
def test_other_activations_equal_keras(name: str) -> None:
    activations = {"activation": "softsign"} if name == "rnn" else {"recurrent_activation": "hard_sigmoid"}
    ours, keras_s = CASES[name].pair(2, return_sequences=True, **activations)
    for layer in (ours, keras_s):
        layer.build(SEQUENCES.shape)
        randomise(layer)
    assert_equal(results_and_gradients(ours, SEQUENCES, None), results_and_gradients(keras_s, SEQUENCES, None))


@pytest.mark.slow
def test_keras_loop_compiles_for_lengths_known_only_at_run_time() -> None:
    layer, keras_s = CASES["gru"].pair(2, return_sequences=True, activation="softsign")
    for each in (layer, keras_s):
        each.build(SEQUENCES.shape)
        randomise(each)

    @tf.function(jit_compile=True, input_signature=[tf.TensorSpec((None, None, 3))])
    def compiled(sequences: tf.Tensor) -> list[tf.Tensor]:
        return results_and_gradients(layer, sequences, None)

    assert_equal(compiled(SEQUENCES), results_and_gradients(keras_s, SEQUENCES, None))
    assert compiled(SEQUENCES[:, :0])[0].shape == (4, 0, 2)


def test_weights_have_the_names_shapes_and_order_of_keras() -> None:
    for name, case in CASES.items():
        ours, keras_s = case.pair(4, name=name)
        for layer in (ours, keras_s):
            layer.build((None, None, 3))
        assert [(w.path, w.shape) for w in ours.weights] == [(w.path, w.shape) for w in keras_s.weights]


@pytest.mark.parametrize("name", CASES)
def test_the_same_seeds_start_at_the_same_weights_as_keras(name: str) -> None:
    starts = []
    for layer in CASES[name].pair(
        4,
        kernel_initializer=keras.initializers.GlorotUniform(seed=1),
        recurrent_initializer=keras.initializers.Orthogonal(seed=2),
        bias_initializer=keras.initializers.RandomNormal(seed=3),
    ):
        layer.build((None, None, 3))
        starts.append(layer.get_weights())
    assert_equal(*starts)


def test_a_layer_of_keras_takes_our_cell_and_draws_its_dropout_masks_once() -> None:
    from rnnapps.layers import LSTMCell

    layer = keras.layers.RNN([LSTMCell(3, dropout=0.3, recurrent_dropout=0.3), LSTMCell(3)], return_sequences=True)
    assert tf.function(layer)(tf.constant(SEQUENCES), training=True).shape == (4, 3, 3)
