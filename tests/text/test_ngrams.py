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
    bins = adapted(order).bins  # every bin gets Laplace's 1, also the empty ones
    counts = np.stack([present[label == LABELS].sum(axis=0) for label in (0, 1)], axis=1) + 1.0
    totals = counts.sum(axis=0) + bins - len(counts)
    shares = counts / totals
    often = present.sum(axis=0) > 1
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
