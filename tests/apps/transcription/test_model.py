"""The transcriber: steps that are joined, and the first layer that learns to spell."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.apps.transcription.model import Transcriber
from rnnapps.apps.transcription.pyramid import join_mask, join_steps, join_stream
from rnnapps.training.optimizer import optimizer

RATE = 8000
SHAPE = {"units": 8, "layers": 2, "convolutions": [4, 4], "tokens": "characters", "join": 3}


def transcriber(**options):
    return Transcriber(" abc", sample_rate=RATE, **SHAPE | options)


@pytest.mark.parametrize("cuts", [(4, 5), (1, 1, 1, 1, 7), (0, 11)])
def test_chunks_are_joined_as_the_whole_is(cuts):
    whole = tf.random.stateless_normal([2, 11, 3], seed=[0, 1])
    left, found = tf.zeros([2, 0, 3]), []
    for begin, end in zip(np.cumsum([0, *cuts]), np.cumsum([*cuts, 11 - sum(cuts)]), strict=True):
        joined, left = join_stream(whole[:, begin:end], left, 4)
        found.append(joined)
    np.testing.assert_array_equal(tf.concat(found, axis=1), join_steps(whole, 4))
    np.testing.assert_array_equal(join_steps(whole, 4), np.reshape(whole[:, :8], (2, 2, 12)))
    mask = tf.sequence_mask([7, 11])
    assert join_mask(mask, 4).numpy().tolist() == [[True, False], [True, True]]


def test_padding_changes_no_answer_where_steps_are_joined():
    model = transcriber()
    sound = tf.random.stateless_uniform([1, 7000], seed=[0, 1], minval=-1)
    alone, steps = model.log_probabilities(sound)
    padded, steps_padded = model.log_probabilities(tf.pad(sound, [[0, 0], [0, 3000]]), tf.constant([7000]))
    assert steps.numpy() == steps_padded.numpy() == 7000 // model.step_samples == alone.shape[1]
    np.testing.assert_allclose(padded[:, : int(steps[0])], alone, atol=1e-5)


def test_the_layers_above_read_how_the_first_one_spells():
    model, sound = transcriber(), tf.random.stateless_uniform([1, 7000], seed=[0, 1], minval=-1)
    before = model(sound)
    model.spelling_head.bias.assign([9.0, 0.0, 0.0, 0.0, 0.0])
    assert np.abs(model(sound) - before).max() > 1e-3


def test_a_model_starts_from_what_another_has_learned():
    trained, new, german = transcriber(), transcriber(warp=0.3), Transcriber(" aäb", sample_rate=RATE, **SHAPE)
    sound = tf.random.stateless_uniform([1, 7000], seed=[0, 1], minval=-1)
    for model in (trained, new, german):
        model.build()
    new.start_from(trained)
    np.testing.assert_array_equal(new(sound), trained(sound))
    upper = [weight.numpy() for weight in german.upper.weights]
    german.start_from(trained)  # its tokens are others: what hears is taken over, what writes is not
    for mine, theirs in zip(german.first.weights, trained.first.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, before in zip(german.upper.weights, upper, strict=True):
        np.testing.assert_array_equal(mine, before)
    with pytest.raises(ValueError, match="join is 2, but 3 in the model to start from"):
        transcriber(join=2).start_from(trained)


@pytest.mark.parametrize("spelling", [0.0, 1.0])
def test_a_stream_says_what_the_whole_recording_says(spelling):
    model, sound = transcriber(causal=True, spelling=spelling), tf.random.stateless_uniform([2, 7000], seed=[0, 1])
    whole, _ = model.log_probabilities(sound)
    states, found = model.initial_states(2), []
    for begin in range(0, 7000, 900):
        log_probabilities, states = model.stream(sound[:, begin : begin + 900], states)
        found.append(log_probabilities)
    np.testing.assert_allclose(tf.concat(found, axis=1), whole, atol=1e-5)


@pytest.mark.parametrize("layers", [1, 2])
def test_the_first_of_several_layers_learns_to_spell(layers):
    batch = (tf.random.stateless_normal([2, 8000], seed=[0, 1]), tf.constant([8000, 6000])), tf.constant(["ab", "c a"])
    after = {}
    for weight in (0.0, 1.0):
        keras.utils.set_random_seed(1)
        model = transcriber(layers=layers, spelling=weight, dropout=0.0, noise=-100.0)
        model.compile(optimizer=optimizer("sgd", 0.1), jit_compile=False)
        model.build()
        before = [weight.numpy() for weight in model.first.weights]
        keras.utils.set_random_seed(1)
        model.train_step(batch)
        after[weight] = [new.numpy() - old for new, old in zip(model.first.weights, before, strict=True)]
        assert (model.spelling_head is None) == (layers == 1 or not weight)
    same = [np.allclose(one, other) for one, other in zip(after[0.0], after[1.0], strict=True)]
    assert all(same) if layers == 1 else not any(same)


def test_a_recording_too_short_to_be_spelt_counts_for_neither_loss():
    model = transcriber(join=1)
    model.compile(optimizer=optimizer("sgd", 0.1), jit_compile=False)
    model.build()
    before = [weight.numpy() for weight in model.trainable_weights]
    model.train_step(((tf.zeros([1, 2000]), tf.constant([2000])), tf.constant(["ab" * 99])))
    for old, new in zip(before, model.trainable_weights, strict=True):
        np.testing.assert_array_equal(old, new)
