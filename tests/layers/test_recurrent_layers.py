"""What holds for every recurrent layer: states, masks, lengths nobody expects; see also tests/test_every_layer.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.layers import GRU, LSTM, Bidirectional, GRUCell, Recurrent, SimpleRNN, Stacked
from tests.layers.cases import randomise

LAYERS: dict[str, Callable[..., keras.layers.Layer]] = {
    "SimpleRNN": lambda **options: SimpleRNN(4, **options),
    "SimpleRNN with output": lambda **options: SimpleRNN(4, output_units=2, **options),
    "GRU": lambda **options: GRU(4, **options),
    "GRU reset before": lambda **options: GRU(4, reset_after=False, **options),
    "LSTM": lambda **options: LSTM(4, **options),
    "LSTM on Keras's loop": lambda **options: LSTM(4, activation="softsign", **options),
    "Recurrent": lambda **options: Recurrent(GRUCell(4, dtype=options.get("dtype")), **options),
    "Bidirectional": lambda **options: Bidirectional(LSTM(4, **options)),
    "Stacked": lambda **options: Stacked([LSTM(3, **options), GRU(4, **options)], residual=True, dropout=0.1),
    "Stacked of Bidirectional": lambda **options: Stacked([Bidirectional(GRU(4, **options)), LSTM(8, **options)]),
    "Bidirectional Stacked": lambda **options: Bidirectional(Stacked([GRU(4, **options), LSTM(3, **options)])),
}
SEQUENCES = np.random.default_rng(0).normal(size=(3, 5, 4))
MASK = np.array([[1, 1, 1, 0, 0], [1, 0, 1, 0, 1], [0, 0, 0, 0, 0]], bool)

every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def built(make: Callable[..., keras.layers.Layer], **options: object) -> keras.layers.Layer:
    layer = make(**options)
    layer.build((None, None, 4))
    randomise(layer)
    return layer


@every_layer
def test_returns_what_it_says(make: Callable) -> None:
    for return_sequences in (True, False):
        for return_state in (True, False):
            layer = built(make, return_sequences=return_sequences, return_state=return_state)
            shapes = layer.compute_output_shape(SEQUENCES.shape)
            results = layer(SEQUENCES)
            if not return_state:
                shapes, results = [shapes], [results]
            assert [tuple(result.shape) for result in results] == [tuple(shape) for shape in shapes]
            assert len(results) == 1 + return_state * len(layer.state_size)
            masks = layer.compute_mask(SEQUENCES, MASK)
            masks = masks if return_state else [masks]
            assert masks[0] is (MASK if return_sequences else None) and not any(masks[1:])


@every_layer
def test_what_is_masked_does_not_count(make: Callable) -> None:
    """Garbage at masked steps changes nothing, and padding a sequence leaves its last output and states alone."""
    layer = built(make, return_state=True)
    with_garbage = np.where(MASK[:, :, None], SEQUENCES, 1e3)
    for a, b in zip(layer(SEQUENCES, mask=MASK), layer(with_garbage, mask=MASK), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    for a, b in zip(layer(SEQUENCES[:1], mask=MASK[:1]), layer(SEQUENCES[:1, :3]), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@every_layer
def test_batch_of_one_and_single_step(make: Callable) -> None:
    layer = built(make, return_sequences=True)
    outputs = layer(SEQUENCES)
    np.testing.assert_allclose(layer(SEQUENCES[:1]), outputs[:1], atol=1e-6)
    assert layer(SEQUENCES[:, :1]).shape[:2] == (3, 1)
    assert layer(SEQUENCES[:0]).shape[:2] == (0, 5)


@every_layer
@pytest.mark.parametrize("length", ["static", "dynamic"])
def test_no_steps_leave_the_states_as_they_were(make: Callable, length: str) -> None:
    nothing = np.zeros((3, 0, 4), "float32")
    layer = built(make, return_state=True, return_sequences=True)
    states = [
        np.random.default_rng(i).normal(size=(3, size)).astype("float32") for i, size in enumerate(layer.state_size)
    ]

    def run(sequences: tf.Tensor, states: list[tf.Tensor]) -> list[tf.Tensor]:
        return layer(sequences, initial_state=states)

    if length == "dynamic":
        signature = [tf.TensorSpec((None, None, 4)), [tf.TensorSpec(state.shape) for state in states]]
        run = tf.function(run, input_signature=signature)
    outputs, *final = run(nothing, states)
    assert outputs.shape[:2] == (3, 0)
    for a, b in zip(final, states, strict=True):
        np.testing.assert_array_equal(a, b)
    layer.return_sequences = False
    if length == "static":
        assert np.isfinite(layer(nothing, initial_state=states)[0]).all()


@pytest.mark.parametrize("name", ["SimpleRNN", "GRU", "LSTM"])
def test_no_steps_put_out_the_hidden_state(name: str) -> None:
    layer = built(LAYERS[name])
    states = [np.full((2, 4), 0.5, "float32") for _ in layer.state_size]
    np.testing.assert_array_equal(layer(np.zeros((2, 0, 4)), initial_state=states), states[0])


@every_layer
def test_a_sequence_in_chunks_is_the_sequence(make: Callable) -> None:
    """Chunk by chunk with the states passed on; a backward layer goes on from its states, chunk after chunk."""
    layer = built(make, return_sequences=True, return_state=True)
    if isinstance(layer, Bidirectional) or any(
        isinstance(inner, Bidirectional) for inner in getattr(layer, "layers", ())
    ):
        pytest.skip("what a layer says that reads to the end of each chunk depends on the chunks")
    whole, *final = layer(SEQUENCES, mask=MASK)
    chunks, states = [], None
    for start, end in ((0, 2), (2, 3), (3, 3), (3, 5)):
        chunk, *states = layer(SEQUENCES[:, start:end], initial_state=states, mask=MASK[:, start:end])
        chunks.append(chunk)
    read = np.logical_or.accumulate(MASK, axis=1)[:, :, None]  # before, a new chunk says zeros as the whole does
    np.testing.assert_allclose(
        np.concatenate(chunks, axis=1) * read * MASK[:, :, None], whole * read * MASK[:, :, None], atol=1e-6
    )
    for a, b in zip(states, final, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@every_layer
def test_stateful_goes_on_from_the_last_batch(make: Callable) -> None:
    layer = make(stateful=True, return_state=True)
    layer.build(SEQUENCES.shape)
    randomise(layer)
    free = make(return_state=True)
    free.build(SEQUENCES.shape)
    free.set_weights(layer.get_weights())
    _, *states = free(SEQUENCES)
    expected, *_ = free(SEQUENCES, initial_state=states)
    layer(SEQUENCES)
    np.testing.assert_allclose(layer(SEQUENCES)[0], expected, atol=1e-6)
    for kept in layer.states:
        assert np.any(kept)
    layer.reset_state()
    np.testing.assert_allclose(layer(SEQUENCES)[0], free(SEQUENCES)[0], atol=1e-6)


def model_of_words(layer: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((None,), dtype="int32")
    sequences = keras.layers.Embedding(7, 4, mask_zero=True)(inputs)
    return keras.Model(inputs, keras.layers.Dense(2)(layer(sequences)))


TOKENS = np.array([[1, 2, 3, 4], [5, 6, 0, 0], [0, 0, 0, 0]], "int32")


# The other layers export what these do.
@pytest.mark.parametrize("name", ["SimpleRNN with output", "GRU", "LSTM on Keras's loop", "Stacked of Bidirectional"])
@pytest.mark.slow
def test_exports(name: str, tmp_path: Path) -> None:
    model = model_of_words(LAYERS[name]())
    model.export(tmp_path, verbose=False)
    exported = tf.saved_model.load(tmp_path)
    np.testing.assert_allclose(exported.serve(TOKENS), model(TOKENS), atol=1e-6)
    assert exported.serve(np.zeros((2, 0), "int32")).shape == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"units": 0}, "units.*positive.*0"),
        ({"units": 2.5}, "units.*2.5"),
        ({"units": 2, "dropout": 1.0}, "dropout.*1.0"),
        ({"units": 2, "recurrent_dropout": -0.1}, "recurrent_dropout.*-0.1"),
        ({"units": 2, "truncate": 0}, "truncate.*0"),
        ({"units": 2, "checkpoint_every": 1.5}, "checkpoint_every.*1.5"),
        ({"units": 2, "gradient_clip": -5}, "gradient_clip.*-5"),
        ({"units": 2, "use_cudnn": "yes"}, "use_cudnn.*yes"),
    ],
)
def test_wrong_values_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LSTM(**arguments)


def test_arguments_on_the_gradient_are_kept_in_the_config() -> None:
    layer = LSTM(4, truncate=8, checkpoint_every=4, gradient_clip=5.0)
    copy = LSTM.from_config(layer.get_config())
    assert (copy.truncate, copy.checkpoint_every, copy.gradient_clip) == (8, 4, 5.0)


def test_a_mask_from_an_embedding_counts_beside_an_initial_state() -> None:
    embedding = keras.layers.Embedding(5, 4, mask_zero=True)
    layer = built(LAYERS["LSTM"])
    states = [np.ones((1, 4), "float32")] * 2
    padded, short = (layer(embedding(np.array([tokens])), initial_state=states) for tokens in ([1, 2, 0, 0], [1, 2]))
    np.testing.assert_allclose(padded, short, atol=1e-6)
