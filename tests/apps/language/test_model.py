"""The network: against NumPy and Keras, states that are carried, what dropout and penalties do."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from rnnapps import training
from rnnapps.apps.language.cli import Generation
from rnnapps.apps.language.completion import complete
from rnnapps.apps.language.generation import generate, stream
from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.scoring import log_probabilities, score_ids
from rnnapps.apps.language.serving import typed
from rnnapps.apps.language.tokens import END, NEWLINE, PAD, UNKNOWN

LETTERS = list("abcdefgh ")


def make(seed: int = 0, streams: int | None = None, **options) -> LanguageModel:
    keras.utils.set_random_seed(seed)
    model = LanguageModel(LETTERS, **{"units": 6, "embedding_units": 4, "dropout": 0.0, **options})
    if streams:
        model.carry(streams)
    model.build()
    return model


def some_tokens(batch: int, time: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(260, 260 + len(LETTERS), (batch, time)).astype("int32")


def test_logits_follow_the_equations():
    model = make(cell="rnn")
    tokens = some_tokens(1, 5)
    table = model.embedding.embeddings.numpy().astype("float64")
    kernel, recurrent, bias = (weight.astype("float64") for weight in model.recurrent[0].get_weights())
    h = np.zeros(6)
    for place, token in enumerate(tokens[0]):
        h = np.tanh(table[token] * 2 @ kernel + h @ recurrent + bias)
        logits = h @ model.to_embedding.kernel.numpy() @ table.T + model.output_bias.numpy()
        np.testing.assert_allclose(model(tokens)[0, place], logits, atol=1e-5)


def test_the_beginning_is_read_like_the_end_of_a_line():
    model = make()
    np.testing.assert_array_equal(model(np.int32([[END, 260]])), model(np.int32([[NEWLINE, 260]])))


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_steps_compute_what_the_layers_do(cell):
    model = make(cell=cell, layers=2)
    tokens = some_tokens(3, 7)
    states = model.initial_states(3)
    for place in range(7):
        outputs, states = model.step(tokens[:, place], states)
    whole, after = model.read(tokens, model.initial_states(3))
    np.testing.assert_allclose(outputs, whole[:, -1], atol=1e-5)
    for one, other in zip(states, after, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_states_are_carried_until_they_are_reset():
    model = make(streams=4, layers=2)
    tokens = some_tokens(3, 8)
    begin, on = tf.constant([True] * 3), tf.constant([False] * 3)
    first, second = model((tokens[:, :4], begin)), model((tokens[:, 4:], on))
    whole = model(tokens)
    np.testing.assert_allclose(first, whole[:, :4], atol=1e-5)
    np.testing.assert_allclose(second, whole[:, 4:], atol=1e-5)
    np.testing.assert_allclose(model((tokens[:, :4], begin)), first, atol=1e-5)


def test_the_loss_is_that_of_keras_and_padding_does_not_count():
    model = make(streams=2)
    targets = np.where(np.arange(6) < 4, some_tokens(2, 6, 1), PAD)
    model.compile("sgd")
    outputs, _ = model.read(some_tokens(2, 6), model.initial_states(2))
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(
        targets[:, :4], model.logits(outputs)[:, :4]
    )
    np.testing.assert_allclose(model.cross_entropy(outputs, targets), expected, rtol=1e-5)


@pytest.mark.parametrize(
    "options",
    [{}, {"tied": False}, {"dropout": 0.3, "weight_drop": 0.5, "word_dropout": 0.2, "layers": 2},
     {"activation_penalty": 2.0, "slowness_penalty": 1.0}],
    ids=str,
)  # fmt: skip
def test_it_learns_a_text(options):
    model = make(streams=2, units=32, **options)
    tokens = np.tile(np.int32([260, 261, 262, 268]), (2, 8))
    model.compile(training.optimizer(learning_rate=0.02))
    batch = ((tokens[:, :-1], np.ones(2, bool)), tokens[:, 1:])
    losses = [model.train_on_batch(*batch, return_dict=True)["loss"] for _ in range(40) if not model.reset_metrics()]
    assert losses[-1] < losses[0] / 3
    np.testing.assert_array_equal(model(tokens), model(tokens))  # nothing is dropped outside of training


def test_a_sampled_softmax_has_about_the_gradient_of_the_whole(monkeypatch):
    monkeypatch.setattr("rnnapps.apps.language.model._SAMPLES", 200)  # of 269
    tf.random.set_seed(1)
    model = make()
    outputs = tf.random.stateless_normal([40, 50, 6], [1, 2])
    targets = some_tokens(40, 50)
    gradients = []
    for sampled in (False, True):
        with tf.GradientTape() as tape:
            tape.watch(outputs)
            loss = model.cross_entropy(outputs, targets, sampled)
        gradients.append(tf.reshape(tape.gradient(loss, outputs), [-1]).numpy())
    assert np.corrcoef(gradients)[0, 1] > 0.9


def test_scores_of_a_text_do_not_depend_on_how_it_is_read():
    model = make(layers=2)
    text = "abc fed abba " * 40
    ids, scores = log_probabilities(model, tf.constant([text, "ab"]))
    tokens = np.append(NEWLINE, ids[0].numpy())
    logits = tf.nn.log_softmax(model(tokens[None, :-1]))[0].numpy()
    expected = logits[np.arange(len(tokens) - 1), tokens[1:]]
    np.testing.assert_allclose(scores[0], expected, atol=1e-4)
    np.testing.assert_allclose(score_ids(model, tokens, 4), -expected, atol=1e-4)
    np.testing.assert_array_equal(scores[1, 2:], 0)


def test_a_text_does_not_depend_on_the_batch_and_streams_as_it_is_generated():
    model = make()
    how = Generation(length=60, temperature=1.3, seed=3)
    prompts = ["ab", "", "abc fed " * 30]

    def write(prompts):
        count = len(prompts)
        constants = (tf.constant([how.length] * count), tf.constant([how.temperature] * count))
        return generate(model, tf.constant(prompts), *constants, tf.constant([how.seed] * count), how).numpy().tolist()

    together = write(prompts)
    assert together == [write([prompt])[0] for prompt in prompts]
    assert together == ["".join(stream(model, prompt, how)).encode() for prompt in prompts]


def test_typing_key_by_key_is_reading_the_text():
    model = make(layers=2)
    states = model.initial_states(2)
    for keys in (["a", "b"], ["", "c"], ["def", "a"]):
        outputs, states = typed(model, tf.constant(keys), states)
    for row, text in enumerate(("adef", "bca")):
        whole, _ = model.read(model.tokens.encode(tf.constant([text])).to_tensor(), model.initial_states(1))
        np.testing.assert_allclose(outputs[row], whole[0, -1], atol=1e-5)


def test_completions_are_the_words_of_highest_probability():
    """Against all words of up to three letters, one by one."""
    model = make(units=16)
    keys = LETTERS[:3]
    bias = np.full(model.tokens.size, -30.0)
    for character in (*keys, " "):
        bias[model.tokens.encode(tf.constant([character])).to_list()[0][0]] = 0.0
    bias[260 + LETTERS.index(" ")] = 2.0  # short words
    model.output_bias.assign(bias)
    found = complete(model, tf.constant(["cab a"]), 3)
    probability = {}
    for word in ["a", *(f"a{x}" for x in keys), *(f"a{x}{y}" for x in keys for y in keys)]:
        scores = log_probabilities(model, tf.constant([f"cab {word} "]))[1][0].numpy()
        probability[word] = np.exp(scores[5:].sum())
    expected = sorted(probability, key=probability.get, reverse=True)[:3]
    assert [word.decode() for word in found["completions"].numpy()[0]] == expected
    np.testing.assert_allclose(found["probabilities"][0], [probability[word] for word in expected], rtol=1e-3)


def test_a_word_that_stands_has_the_probability_of_what_ends_it_and_comes_once():
    model = make(seed=3)
    found = complete(model, tf.constant(["a bad"]), 5)
    words = found["completions"].numpy()[0].tolist()
    assert len(set(words)) == 5  # not once more for another way to spell it, byte by byte
    logits = model(tf.constant([[END, *(260 + LETTERS.index(letter) for letter in "a bad")]]))[0, -1].numpy()
    shares = np.exp(logits) * ~np.isin(np.arange(len(logits)), [PAD, UNKNOWN])
    ends = shares[~model.tokens.of_letters()].sum() / shares.sum()
    assert found["probabilities"].numpy()[0][words.index(b"bad")] == pytest.approx(ends, rel=1e-4)


def test_a_word_that_several_tokens_spell_comes_once_with_the_sum_of_its_probabilities():
    """Bytes spell any letter, too; without letters of its own a model spells each word in one way only."""
    both = make(seed=2, normalised=True)
    bias = np.full(both.tokens.size, -30.0)
    byte, letter, space = both.tokens.pieces.index(b"b"), 260 + LETTERS.index("b"), 260 + LETTERS.index(" ")
    assert both.tokens.pieces[byte] == both.tokens.pieces[letter] == b"b" and byte != letter
    bias[[letter, byte, space]] = 0.0
    both.output_bias.assign(bias)
    found = complete(both, tf.constant(["a b"]), 3)
    words, probabilities = found["completions"].numpy()[0].tolist(), found["probabilities"].numpy()[0]
    assert len(set(words)) == 3 and set(words) == {b"b", b"bb", b"bbb"}
    assert np.all(np.diff(probabilities) <= 0) and 0.5 < probabilities.sum() <= 1


def test_a_word_is_not_continued_by_one_that_begins_a_line():
    keras.utils.set_random_seed(0)
    vocabulary = [" cat", "Sky", " catch"]
    model = LanguageModel(vocabulary, level="word", units=4, embedding_units=4, dropout=0.0)
    model.build()
    found = complete(model, tf.constant(["the ca"]), 4)["completions"].numpy()[0]
    assert {word.decode() for word in found} == {"cat", "catch", ""}


def test_a_word_is_completed_by_words_that_begin_with_it_or_not_at_all():
    keras.utils.set_random_seed(0)
    vocabulary = [" film", " films", " a", " fil"]
    model = LanguageModel(vocabulary, level="word", units=4, embedding_units=4, dropout=0.0)
    model.build()
    found = complete(model, tf.constant(["a film", "a xylo"]), 3)
    words = found["completions"].numpy()[0].tolist()
    assert set(words[:2]) == {b"film", b"films"} and words[2] == b""
    assert found["completions"].numpy()[1].tolist() == [b"", b"", b""]
    assert not found["probabilities"][1].numpy().any()
