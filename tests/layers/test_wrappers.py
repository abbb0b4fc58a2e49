"""`Bidirectional` and `Stacked`: against Keras, against the layers called one by one, and against misuse."""

from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest

from rnnapps.layers import GRU, LSTM, Bidirectional, SimpleRNN, Stacked
from tests.layers.cases import CASES, randomise, results_and_gradients

SEQUENCES = np.random.default_rng(0).normal(size=(3, 4, 6)).astype("float32")
MASK = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [0, 0, 0, 0]], bool)


def assert_all_close(actual: list, expected: list, message: str = "") -> None:
    assert len(actual) == len(expected), message
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6, err_msg=message)


@pytest.mark.parametrize(
    ("name", "merge_mode"),
    [("gru", "concat"), ("lstm", "concat"), ("gru", "sum"), ("gru", "mul"), ("gru", "ave"), ("lstm", None)],
)
@pytest.mark.sampled
def test_bidirectional_is_that_of_keras(name: str, merge_mode: str | None) -> None:
    every = product([True, False], repeat=3)
    for return_sequences, masked, with_state in every if merge_mode == "concat" else [(1, 1, 0), (0, 0, 1), (1, 0, 0)]:
        ours, keras_s = CASES[name].pair(3, return_sequences=return_sequences, return_state=True)
        ours = Bidirectional(ours, merge_mode=merge_mode)
        keras_s = keras.layers.Bidirectional(keras_s, merge_mode=merge_mode)
        for layer in (ours, keras_s):
            layer.build(SEQUENCES.shape)
            randomise(layer)
        states = [np.full((3, 3), 0.1 * i, "float32") for i in range(len(ours.state_size))] if with_state else None
        call = {"initial_state": states, "mask": MASK if masked else None}
        message = f"{return_sequences=} {masked=} {with_state=}"
        if merge_mode == "concat":
            assert_all_close(
                results_and_gradients(ours, SEQUENCES, states, mask=call["mask"]),
                results_and_gradients(keras_s, SEQUENCES, states, mask=call["mask"]),
                message,
            )
        else:
            assert_all_close(ours(SEQUENCES, **call), keras_s(SEQUENCES, **call), message)


def test_bidirectional_takes_a_backward_layer_and_layers_of_keras() -> None:
    layer = Bidirectional(
        keras.layers.GRU(3, return_sequences=True),
        backward_layer=LSTM(2, return_sequences=True, go_backwards=True),
    )
    outputs = layer(SEQUENCES)
    assert outputs.shape == layer.compute_output_shape(SEQUENCES.shape) == (3, 4, 5)
    backward = layer.backward_layer(SEQUENCES)  # called by itself: in the order of reading
    np.testing.assert_allclose(outputs[..., 3:], backward[:, ::-1], atol=1e-6)
    swapped = Bidirectional(
        LSTM(2, return_sequences=True),
        backward_layer=keras.layers.GRU(3, return_sequences=True, go_backwards=True),
    )
    outputs = swapped(SEQUENCES)
    np.testing.assert_allclose(outputs[..., 2:], swapped.backward_layer(SEQUENCES)[:, ::-1], atol=1e-6)


class Averages(keras.layers.Layer):
    """A layer of sequences that is no `keras.layers.RNN`: running averages, from either end."""

    def __init__(self, go_backwards: bool = False, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.go_backwards = go_backwards
        self.return_sequences, self.return_state, self.stateful = True, False, False

    def call(self, sequences: object, initial_state: object = None) -> object:
        read = keras.ops.flip(sequences, axis=1) if self.go_backwards else sequences
        steps = keras.ops.arange(1, sequences.shape[1] + 1, dtype="float32")
        return keras.ops.cumsum(read, axis=1) / steps[:, None]

    def compute_output_shape(self, sequences_shape: tuple) -> tuple:
        return sequences_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "go_backwards": self.go_backwards}


@pytest.mark.parametrize("kind", ["ConvLSTM1D", "a layer of sequences"])
def test_bidirectional_takes_what_keras_takes(kind: str) -> None:
    if kind == "ConvLSTM1D":
        layer, sequences = keras.layers.ConvLSTM1D(2, 3, return_sequences=True), SEQUENCES[..., None]
    else:
        layer, sequences = Averages(), SEQUENCES
    with keras.saving.custom_object_scope({"Averages": Averages}):
        ours, keras_s = Bidirectional(layer), keras.layers.Bidirectional(layer)
    keras_s.input_spec = None
    expected = keras_s(sequences)
    ours.build(sequences.shape)
    ours.set_weights(keras_s.get_weights())
    np.testing.assert_allclose(ours(sequences), expected, atol=1e-6)
    assert ours.compute_output_shape(sequences.shape) == expected.shape
    assert "keras's ConvLSTM1D" in ours.engine or "tests's Averages" in ours.engine


def test_chunks_through_bidirectional_go_on_in_each_direction() -> None:
    """As with a stateful layer of Keras: each direction starts a chunk from where it ended the one before."""
    layer = Bidirectional(LSTM(3, return_state=True))
    layer.build(SEQUENCES.shape)
    _, *states = layer(SEQUENCES)
    output, *_ = layer(SEQUENCES[:, :2], initial_state=states)
    forward, *_ = layer.forward_layer(SEQUENCES[:, :2], initial_state=states[:2])
    backward, *_ = layer.backward_layer(SEQUENCES[:, :2], initial_state=states[2:])
    np.testing.assert_allclose(output, np.concatenate([forward, backward], axis=-1), atol=1e-6)


def test_stacked_is_its_layers_one_after_the_other() -> None:
    layers = [GRU(6), Bidirectional(LSTM(3)), LSTM(6, return_state=True, return_sequences=True)]
    stack = Stacked(layers)
    outputs, *states = stack(SEQUENCES, mask=MASK)
    x, expected_states = SEQUENCES, []
    for layer in layers:
        x, *layer_states = layer(x, mask=MASK)
        expected_states += layer_states
    assert_all_close([outputs, *states], [x, *expected_states])


@pytest.mark.parametrize("go_backwards", [False, True])
def test_residual_adds_the_input_of_each_layer(go_backwards: bool) -> None:
    options = {"go_backwards": go_backwards, "return_sequences": True}
    first, second = GRU(6, **options), SimpleRNN(6, **options)
    outputs = Stacked([first, second], residual=True)(SEQUENCES, mask=MASK, keep_time_order=True)
    x = SEQUENCES + first(SEQUENCES, mask=MASK, keep_time_order=True)
    np.testing.assert_allclose(outputs, x + second(x, mask=MASK, keep_time_order=True), atol=1e-6)
    second.return_sequences = False
    last = Stacked([first, second], residual=True)(SEQUENCES, mask=MASK)
    last_read = [0, 0] if go_backwards else [2, 3]
    np.testing.assert_allclose(last[:2], np.array(outputs)[[0, 1], last_read], atol=1e-6)
    np.testing.assert_allclose(last[2], 0, atol=1e-6)  # nothing read, nothing to add


def test_a_stack_that_goes_backwards_reads_the_sequence_turned_round() -> None:
    forward = Stacked([GRU(6, return_sequences=True), LSTM(5, return_sequences=True)])
    backward = Stacked(
        [GRU(6, return_sequences=True, go_backwards=True), LSTM(5, return_sequences=True, go_backwards=True)]
    )
    expected = forward(SEQUENCES[:, ::-1])
    backward.build(SEQUENCES.shape)
    backward.set_weights(forward.get_weights())
    np.testing.assert_allclose(backward(SEQUENCES), expected, atol=1e-6)
    both = Bidirectional(forward)
    both.build(SEQUENCES.shape)
    both.set_weights([*forward.get_weights(), *forward.get_weights()])
    np.testing.assert_allclose(both(SEQUENCES)[..., 5:], expected[:, ::-1], atol=1e-6)


def test_dropout_between_layers_is_for_training_only() -> None:
    stack = Stacked([GRU(6), GRU(6)], dropout=0.5)
    np.testing.assert_array_equal(stack(SEQUENCES), stack(SEQUENCES))
    assert np.any(stack(SEQUENCES, training=True) != stack(SEQUENCES))


def test_wrappers_compute_in_the_dtype_of_what_they_wrap() -> None:
    assert Bidirectional(GRU(2, dtype="float64")).compute_dtype == "float64"
    assert Stacked([GRU(2, dtype="mixed_bfloat16")]).compute_dtype == "bfloat16"


def test_misuse_is_explained() -> None:
    with pytest.raises(ValueError, match=r"`backward_layer`.*'sum'"):
        Bidirectional(GRU(2), backward_layer="sum")
    with pytest.raises(ValueError, match=r"`merge_mode`.*`backward_layer=`"):
        Bidirectional(GRU(2), GRU(2, go_backwards=True))
    with pytest.raises(ValueError, match=r"`layer`.*Dense"):
        Bidirectional(keras.layers.Dense(2))
    with pytest.raises(ValueError, match=r"merge_mode.*'plus'"):
        Bidirectional(GRU(2), merge_mode="plus")
    with pytest.raises(ValueError, match="go_backwards=False and False"):
        Bidirectional(GRU(2), backward_layer=GRU(2))
    with pytest.raises(ValueError, match="return_sequences"):
        Bidirectional(GRU(2), backward_layer=GRU(2, go_backwards=True, return_sequences=True))
    with pytest.raises(ValueError, match="backwards"):
        Bidirectional(Stacked([Bidirectional(GRU(2))]))
    with pytest.raises(ValueError, match="at least one"):
        Stacked([])
    with pytest.raises(ValueError, match=r"recurrent layers.*Dense"):
        Stacked([GRU(2), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="go_backwards"):
        Stacked([GRU(2), GRU(2, go_backwards=True)])
    with pytest.raises(ValueError, match="merge_mode=None"):
        Stacked([Bidirectional(GRU(2), merge_mode=None), GRU(2)])
