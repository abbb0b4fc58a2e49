"""The translator's network: its steps, its loss, what padding and beams change (nothing)."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import training
from rnnapps.apps.translation.cli import Search
from rnnapps.apps.translation.model import Translator
from rnnapps.text import START, Subwords, train_subwords

TEXTS = ["a small dog runs", "the big cat sleeps", "two dogs and a cat", "ein kleiner Hund rennt", "die Katze schläft"]
KINDS = [
    {"layers": 2},
    {"attention": "additive", "cell": "lstm", "layers": 1},
    {"attention": "none", "cell": "rnn", "layers": 3},
]


@pytest.fixture(scope="module")
def subwords():
    return Subwords(train_subwords(TEXTS * 20, 512))


def make(subwords, **options):
    keras.utils.set_random_seed(1)
    model = Translator(subwords.to_text(), **{"units": 6, "embedding_units": 8, **options})
    model.build()
    return model


def batch(model):
    source = model.source_ids(tf.constant(["ein Hund", "die Katze schläft und schläft"]))
    target = model.target_subwords.encode(tf.constant(["a dog", "the cat sleeps a lot"])).to_tensor()
    return source, tf.concat([tf.fill([2, 1], START), target[:, :-1]], 1), target


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_steps_of_several_hypotheses_compute_what_the_whole_target_does(subwords, kind):
    model = make(subwords, **kind)
    source, target, _ = batch(model)
    expected = model((source, target)).numpy()
    constants, states = model.encode(source)
    states = tuple(tf.repeat(state[:, None], 3, axis=1) for state in states)
    for step in range(target.shape[1]):
        logits, states = model.step(tf.repeat(target[:, step : step + 1], 3, axis=1), states, constants)
        for hypothesis in range(3):
            np.testing.assert_allclose(logits[:, hypothesis], expected[:, step], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_more_padding_changes_nothing(subwords, kind):
    model = make(subwords, **kind)
    source, target, _ = batch(model)
    wider = tf.pad(source, [[0, 0], [0, 4]])
    np.testing.assert_allclose(model((wider, target)), model((source, target)), atol=1e-6)


def test_the_loss_is_smoothed_cross_entropy_over_real_subwords(subwords):
    model = make(subwords, label_smoothing=0.1)
    source, target_in, target_out = batch(model)
    cross_entropy, smoothing = model.costs(source, target_in, target_out)
    logits, real = model((source, target_in)), target_out.numpy() > 0
    truth = tf.one_hot(target_out, model.target_subwords.size)
    for found, amount in ((cross_entropy, 0.0), (cross_entropy + smoothing, 0.1)):
        each = keras.losses.categorical_crossentropy(truth, logits, from_logits=True, label_smoothing=amount)
        assert float(found) == pytest.approx(float(tf.reduce_mean(each[real])), rel=1e-5)


def test_one_vocabulary_shares_its_embedding_and_two_do_not(subwords):
    shared = make(subwords)
    assert shared.source_embedding is shared.target_embedding
    apart = make(subwords, target_subwords=subwords.to_text())
    tables = sum(weight.shape == (subwords.size, 8) for weight in apart.weights)
    assert tables == 2


def test_a_model_comes_back_from_its_file(subwords, tmp_path):
    model = make(subwords, dropout=0.2, recurrent_dropout=0.1, l2=1e-4, truncate=3)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    source, target, _ = batch(model)
    np.testing.assert_array_equal(again((source, target)), model((source, target)))
    assert again.get_config() == model.get_config()


def test_training_on_a_batch_lowers_its_loss(subwords):
    model = make(subwords, dropout=0.1, recurrent_dropout=0.1, l2=1e-5)
    model.compile(training.optimizer(learning_rate=0.02), jit_compile=False)
    source, target_in, target_out = batch(model)
    losses = [model.train_on_batch((source, target_in), target_out) for _ in range(12)]
    assert losses[-1] < 0.7 * losses[0]


def test_a_translation_depends_on_no_other_sentence_of_the_batch(subwords):
    model = make(subwords)
    search = Search(beam=3, longest=12)
    texts = ["ein Hund", "", "die Katze schläft " * 3, "犬 🐕"]
    together, scores = model.translate(tf.constant(texts), search, n_best=2)
    assert together.shape == scores.shape == (4, 2)
    assert together[1, 0] == b"" and scores[1, 0] == 0
    for row, text in enumerate(texts):
        alone, score = model.translate(tf.constant([text]), search, n_best=2)
        assert alone[0].numpy().tolist() == together[row].numpy().tolist()
        np.testing.assert_allclose(score[0], scores[row], rtol=1e-4)


def test_no_sentences_have_no_translations(subwords):
    translations, scores = make(subwords).translate(tf.constant([], tf.string))
    assert translations.shape == scores.shape == (0, 1)


def test_a_translation_is_at_most_as_long_as_allowed(subwords, monkeypatch):
    model = make(subwords)  # untrained: it never thinks of the end
    decode, decoded = model.target_subwords.decode, []
    monkeypatch.setattr(model.target_subwords, "decode", lambda ids: decoded.append(ids) or decode(ids))
    long = "die Katze schläft " * 100
    model.translate(tf.constant([long]), Search(beam=2, length_ratio=0.1, longest=20))
    assert decoded[0].shape == (1, 20)


def test_alignment_is_a_distribution_over_the_source(subwords):
    model = make(subwords)
    source, target, _ = batch(model)
    weights = model.alignment(source, target).numpy()
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)
    assert not weights[0][:, source.numpy()[0] == 0].any()
