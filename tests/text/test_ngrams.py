import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.feature_extraction.text import CountVectorizer

from rnnapps.text import HashedNgrams

TOKENS = np.array([[5, 6, 5, 6, 7], [8, 9, 0, 0, 0], [8, 5, 6, 0, 0], [9, 8, 7, 7, 7], [0, 0, 0, 0, 0]])
LABELS = np.array([0, 1, 0, 1, 1])


def adapted(order=2, bins=2**16, **kwargs):
    layer = HashedNgrams(classes=2, order=order, bins=bins, **kwargs)
    layer.adapt([(TOKENS[:2], LABELS[:2]), (TOKENS[2:], LABELS[2:])])
    return layer


def reference_ratios(order):
    """Log-count ratios of the n-grams that stand in two texts or more, from scikit-learn's counts."""
    texts = [" ".join(str(token) for token in row if token) for row in TOKENS]
    counter = CountVectorizer(ngram_range=(1, order), binary=True, token_pattern=r"\d+", lowercase=False)
    present = counter.fit_transform(texts).toarray()
    counts = np.stack([present[label == LABELS].sum(axis=0) for label in (0, 1)], axis=1) + 1.0
    often = present.sum(axis=0) > 1
    shares = counts / counts[often].sum(axis=0)
    return {gram: np.log(shares[i] / shares[i][::-1]) for gram, i in counter.vocabulary_.items() if often[i]}


@pytest.mark.parametrize("order", [1, 2, 3])
def test_ratios_are_those_of_the_counted_ngrams(order):
    layer = adapted(order)
    found = layer.log_count_ratio.numpy()
    expected = np.array(sorted(reference_ratios(order).values(), key=tuple))
    found = np.array(sorted(found[np.abs(found).sum(axis=1) > 0], key=tuple))
    expected = expected[np.abs(expected).sum(axis=1) > 1e-12]
    assert len(expected) > 2
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_padding_and_repetition_do_not_change_the_logits():
    layer = adapted()
    layer.kernel.assign(np.random.default_rng(0).normal(size=layer.kernel.shape))
    once = layer(np.array([[5, 6, 5]]))
    # Sums of other lengths, and so of another order; terms of about 1 may cancel, so the tolerance is absolute.
    np.testing.assert_allclose(layer(np.array([[5, 6, 5, 0, 0, 0]])), once, atol=1e-5)
    np.testing.assert_allclose(layer(np.array([[5, 6, 5, 6, 5]])), once, atol=1e-5)


def test_a_text_without_words_and_a_batch_without_steps_give_the_bias():
    layer = adapted(order=3)
    layer.bias.assign([1.0, -2.0])
    assert layer(np.zeros((2, 4), "int32")).numpy().tolist() == [[1, -2], [1, -2]]
    assert layer(np.zeros((2, 0), "int32")).numpy().tolist() == [[1, -2], [1, -2]]
    assert layer(np.zeros((0, 3), "int32")).shape == (0, 2)


def test_the_gradient_reaches_only_the_ngrams_of_the_text():
    layer = adapted(order=1)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.array([[5, 7]]))[:, 0])
    gradient = tf.convert_to_tensor(tape.gradient(loss, layer.kernel.value)).numpy()
    rows = np.nonzero(gradient)[0]
    np.testing.assert_allclose(gradient[rows, 0], layer.log_count_ratio.numpy()[rows, 0], rtol=1e-6)
    assert len(rows) == 2


def test_it_is_saved_with_its_ratios(tmp_path):
    tokens = keras.Input((None,), dtype="int32")
    model = keras.Model(tokens, adapted()(tokens))
    model.layers[-1].kernel.assign(np.random.default_rng(0).normal(size=model.layers[-1].kernel.shape))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(TOKENS), model(TOKENS))


@pytest.mark.parametrize("size", [{"classes": 1}, {"bins": 1}])
def test_too_few_classes_or_bins_are_refused(size):
    with pytest.raises(ValueError, match="`classes` and `bins` must be at least 2"):
        HashedNgrams(**{"classes": 2, "bins": 64, **size})


def test_an_order_below_1_is_refused():
    with pytest.raises(ValueError, match="`order` must be from 1 to 8, got 0"):
        HashedNgrams(classes=2, order=0)


@pytest.mark.parametrize("bins", [2**16, 2**16 - 1])
def test_ngrams_that_were_not_counted_add_nothing(bins):
    random = np.random.default_rng(0)
    layer = HashedNgrams(2, bins=bins)
    tokens = random.integers(1, 300, (400, 30))
    layer.adapt([(tokens, random.integers(0, 2, 400))])
    layer.kernel.assign(np.ones(layer.kernel.shape))
    unseen = 300 + random.integers(0, 10**5, (200, 30))
    np.testing.assert_array_equal(layer(unseen), np.zeros((200, 2)))


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("bins", [2**21, 2**21 - 1, 10**6])  # with many factors: each may leave bins empty
def test_the_ngrams_of_every_length_are_spread_evenly(order, bins):
    tokens = tf.constant(np.random.default_rng(0).integers(1, 30_000, (2000, 40)))
    layer = HashedNgrams(2, order, bins)
    grams = layer._distinct(tokens)
    grams = np.unique(grams[grams != 0])
    assert len(grams) > (27_000 if order == 1 else 100_000)
    found = len(np.unique(layer._place(tf.constant(grams))[0]))
    assert found > 0.99 * bins * -np.expm1(len(grams) * np.log1p(-1 / bins))


def test_the_ngram_of_the_most_texts_keeps_a_shared_bin():
    layer = HashedNgrams(2, order=1, bins=16)
    bins = layer._place(layer._distinct(tf.constant(np.arange(1, 100)[:, None])))[0].numpy()[:, 0].tolist()
    twice, thrice, *_ = (1 + place for place, found in enumerate(bins) if found == 3)
    other = 1 + bins.index(4)
    once = 1 + bins.index(5)
    tokens = np.array([[thrice, twice], [thrice, twice], [thrice, once], [other, 0], [other, 0]])
    layer.adapt([(tokens, np.array([1, 1, 1, 0, 0]))])
    layer.kernel.assign(np.ones((16, 2)))
    assert (layer(np.array([[thrice], [other]])).numpy() != 0).all()
    assert (layer(np.array([[twice], [once]])).numpy() == 0).all()


def test_counts_of_a_large_corpus_forget_its_rarest_ngrams(monkeypatch):
    monkeypatch.setattr("rnnapps.text.ngrams._PENDING", 1000)
    monkeypatch.setattr("rnnapps.text.ngrams._MOST_COUNTED", 500)
    random = np.random.default_rng(0)
    common = random.integers(1, 20, (2000, 1))
    rare = random.integers(20, 3000, (2000, 5))
    batches = [
        (np.concatenate([common[i : i + 10], rare[i : i + 10]], axis=1), np.arange(10) % 2) for i in range(0, 2000, 10)
    ]
    few, all_of_them = HashedNgrams(2, order=1, bins=2**16), HashedNgrams(2, order=1, bins=2**16)
    few.adapt(batches)
    monkeypatch.undo()
    all_of_them.adapt(batches)
    bins = few._place(few._distinct(tf.constant(np.arange(1, 20)[:, None])))[0].numpy()[:, 0]
    assert len(np.unique(few.fingerprint)) < 1000 < len(np.unique(all_of_them.fingerprint))
    difference = few.log_count_ratio.numpy()[bins] - all_of_them.log_count_ratio.numpy()[bins]
    assert np.abs(difference).max() < 0.3
