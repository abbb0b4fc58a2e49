"""Models of melodies: what they are trained on, scored by, and what they write, with weights drawn at random."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps.apps.music.keys import key_of
from rnnapps.apps.music.losses import MeanTokenNats, TokenAccuracy, TokenNats
from rnnapps.apps.music.melody_batches import MelodyBatches, melodies_of
from rnnapps.apps.music.melody_generation import generate
from rnnapps.apps.music.melody_model import MelodyModel
from rnnapps.apps.music.melody_serving import endpoints
from rnnapps.apps.music.melody_tokens import END, FIRST_LENGTH, FIRST_PITCH, PAD, melody_of, notes_of, parsed
from rnnapps.datasets import Piece, Pieces
from rnnapps.datasets.pieces import bar_length

SCALE = (0, 2, 4, 5, 7, 9, 11, 12)


def piece(first, notes, metre=""):
    """A scale in quarter notes."""
    return Piece("", np.array([(24 * t, 24, first + SCALE[t % 8]) for t in range(notes)], np.int32), metre)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = MelodyModel(("3/4", "4/4"), (8, 12, 24, 48), units=8, embedding_units=8, dropout=0.0)
    model.build()
    for weight in model.trainable_weights:  # so that tokens are far from equally probable
        weight.assign(3 * weight)
    return model


def test_what_is_scored_is_every_token_of_the_melody_and_its_end_without_the_key(model):
    pieces = Pieces((piece(60, 8, "3/4"), piece(72, 3), Piece("silent", np.zeros((0, 3), np.int32))), 1.0, "scales")
    ((tokens, targets),) = MelodyBatches(model, melodies_of(pieces), 4).epoch(0)
    expected = [melody_of(piece) for piece in pieces.pieces[1::-1]]
    logits = model(tokens).numpy()
    right, nats = [], []
    for row, melody in enumerate(expected):
        assert tokens[row, 1] == model.metre_token(("", "3/4")[row]) and tokens[row, 0] == model.key_token(None)
        assert tokens[row, 2:].numpy().tolist()[: len(melody)] == melody
        target = [PAD, *melody, END]
        assert targets[row].numpy().tolist() == target + [PAD] * (targets.shape[1] - len(target))
        real = keras.losses.sparse_categorical_crossentropy(
            np.array(target[1:]), logits[row, 1 : len(target)], from_logits=True
        )
        nats += real.numpy().tolist()
        right += (logits[row, 1 : len(target)].argmax(axis=1) == target[1:]).tolist()
    metrics = MeanTokenNats(), TokenAccuracy()
    for metric in metrics:
        metric.update_state(targets, logits)
    assert float(TokenNats()(targets, logits)) == pytest.approx(np.mean(nats), rel=1e-5)
    assert [float(metric.result()) for metric in metrics] == pytest.approx([np.mean(nats), np.mean(right)], rel=1e-5)


def test_training_transposes_within_the_piano_and_tells_the_key_of_half_of_the_melodies(model):
    pieces = Pieces(tuple(piece(first, 16) for first in (21, 60, 96) * 30), 1.0, "scales")
    batches = MelodyBatches(model, melodies_of(pieces), 8, seed=3, transpose=5)
    first, told = set(), 0
    for tokens, _ in batches.epoch(1):
        for row in tokens.numpy():
            pitches = row[(row >= FIRST_PITCH) & (row < FIRST_LENGTH)] - FIRST_PITCH + 21
            assert np.diff(pitches[:8]).tolist() == np.diff(SCALE).tolist()
            first.add(int(pitches[0]))
            if row[0] != model.key_token(None):
                told += 1
                assert row[0] == model.key_token(key_of(pitches.tolist()))
    assert 30 < told < 60 and first == {*range(21, 27), *range(55, 66), *range(91, 97)}


@pytest.fixture(scope="module")
def write(model):
    """Writes melodies: a function that is traced once."""
    told = [tf.TensorSpec([None], kind) for kind in (tf.string, tf.int32, tf.string, tf.string, tf.float32, tf.int32)]
    graph = tf.function(lambda *asked: generate(model, *asked), input_signature=told, autograph=False)

    def texts(primes, bars, metres, seed=0, temperature=1.0, key=""):
        count = len(primes)
        found = graph(primes, bars, [key] * count, metres, [temperature] * count, tf.range(count) + seed)
        return [text.decode() for text in found.numpy()]

    return texts


def test_bars_add_up_in_every_metre_and_after_every_prime(write):
    primes = ["", "", "C 1/2 D 1/4 | - 1/6", "z 3", "z 3 |", "C 1/24", "", "G 1"]
    metres = ["4/4", "6/8", "3/4", "3/4", "3/4", "4/4", "5/16", "3/4"]
    bars = [3, 2, 2, 2, 2, 4, 5, 0]
    texts = write(primes, bars, metres)
    assert texts[-1] == ""
    for prime, text, metre, count in zip(primes[:-1], texts, metres, bars, strict=False):
        tokens = parsed(f"{prime} {text}")
        before = prime.count("|") + (prime == "z 3")  # a full bar without its line is none of those asked for
        _, lengths = notes_of(tokens)
        assert len(lengths) == before + count and text.endswith("|")
        assert set(lengths[prime.count("|") :]) == {bar_length(metre)}, (prime, text)


def test_it_is_not_the_weights_that_make_bars_add_up(model):
    told = tf.constant([""]), tf.constant([12]), tf.constant([""]), tf.constant(["4/4"]), tf.ones([1]), tf.constant([0])
    text = tf.function(lambda: generate(model, *told, counted=False), autograph=False)().numpy()[0].decode()
    assert len(set(notes_of(parsed(text))[1])) > 3


def test_a_melody_does_not_depend_on_the_batch_but_on_the_seed(write):
    asked = ("", 2, "4/4"), ("C 1", 3, "3/4"), ("C 1 |", 1, "1/4")
    together = write(*map(list, zip(*asked, strict=True)))
    for seed, (prime, bars, metre) in enumerate(asked):
        assert write([prime], [bars], [metre], seed) == [together[seed]]
    assert write([""], [2], ["4/4"], seed=9) != together[:1]


@pytest.mark.parametrize("prime", ["C", "1 C", "C 1 1", "C D 1", "C 1/7", "H 1", "C 1 | C 3", "60,64"])
def test_a_prime_that_is_no_melody_is_refused(write, prime):
    with pytest.raises(tf.errors.InvalidArgumentError, match="prime"):
        write(["", prime], [1, 1], ["4/4", "2/4"])


def test_the_step_signature_goes_on_as_the_model_writes(model, write):
    step = endpoints(model)["step"].function
    told = tf.constant(["A minor"]), tf.constant(["3/4"]), tf.zeros([1]), tf.zeros([1], tf.int32)
    places = [tf.zeros([1], tf.int32)] * 2
    step = tf.function(step, autograph=False)
    states, notes, found = model.initial_states(1), "", []
    for number in range(15):
        answer = step(tf.constant([notes]), tf.constant([number]), *told, *places, *states)
        notes = answer["notes"].numpy()[0].decode()
        places = [answer["left"], answer["sounding"]]
        states = [answer[name] for name in model.state_names]
        found.append(notes)
    assert found == write([""], [9], ["3/4"], temperature=0.0, key="A minor")[0].split()[:15]
