import itertools

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

from rnnapps.text import Segmentations, Subwords, train_subwords

TEXTS = [
    f"{who} {what} {where}."
    for who in ("A man", "Two dogs", "Eine Frau", "Zwei Mädchen", "Nobody's child")
    for what in ("plays", "is running", "spielt Fußball", "läuft", "sleeps")
    for where in ("outside", "in the street", "auf der Straße", "am 12. März 1987")
]
HARD = ["", "  ", "a  b ", "日本語のテキスト", "👩‍👩‍👧 ok", "a\0b\tc", b"\xff\xfe x", "e\u0301", "x" * 300, "▁ ▁▁x"]


@pytest.fixture(scope="module")
def model():
    return train_subwords(TEXTS, 600)


def test_a_large_alpha_takes_the_best_segmentation(model):
    texts = TEXTS + HARD
    drawn = Segmentations(model, texts, alpha=1e6).draw(seed=0)
    assert drawn.dtype == tf.int32
    assert drawn.to_list() == Subwords(model).encode(tf.constant(texts)).to_list()


@pytest.mark.parametrize("alpha", [-1.0, float("inf"), float("nan")])
def test_an_impossible_alpha_is_refused(model, alpha):
    with pytest.raises(ValueError, match="alpha must be 0 or a finite positive number"):
        Segmentations(model, TEXTS, alpha=alpha)


def test_every_segmentation_spells_the_text(model):
    subwords, segmentations = Subwords(model), Segmentations(model, TEXTS + HARD, alpha=0.1)
    best = subwords.decode(subwords.encode(tf.constant(TEXTS + HARD))).numpy().tolist()
    for seed in range(5):
        assert subwords.decode(segmentations.draw(seed)).numpy().tolist() == best


def test_segmentations_come_as_often_as_the_model_says(model):
    package = sentencepiece.SentencePieceProcessor(model_proto=model)
    word, alpha, draws = "Straße", 0.3, 20_000
    candidates = package.nbest_encode(word, nbest_size=64, out_type=int)
    likely = np.exp([alpha * sum(package.get_score(piece) for piece in candidate) for candidate in candidates])
    found = Segmentations(model, [word] * draws, alpha).draw(seed=3).to_list()
    counts = np.array([found.count(candidate) for candidate in candidates])
    assert counts.sum() == draws
    expected = draws * likely / likely.sum()
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected) + 5)


def test_a_seed_gives_the_same_draw_and_another_seed_another(model):
    one, other = (Segmentations(model, TEXTS, alpha=0.2) for _ in range(2))
    assert one.draw((1, 5)).to_list() == other.draw((1, 5)).to_list()
    draws = [one.draw((1, epoch)).to_list() for epoch in range(3)]
    assert all(a != b for a, b in itertools.combinations(draws, 2))


def test_no_text_and_no_words_are_fine(model):
    assert Segmentations(model, [], alpha=0.2).draw(0).to_list() == []
    assert Segmentations(model, ["", " "], alpha=0.2).draw(0).to_list() == [[], []]
