import numpy as np
import pytest
import tensorflow as tf

from rnnapps.text import normalise, vocabulary, word_vectorizer


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Great film!", "great film !"),
        ("one<br /><br />two</i>", "one two"),
        ("1 < 2 and <3", "1 < 2 and <3"),
        ("don't STOP", "don't stop"),
        ("ÄRGER Été", "ärger été"),
        ("这部电影", "这 部 电 影"),
        ("fun🎉🎉", "fun 🎉 🎉"),
        ("a\x00b\tc\u2028d", "a b c d"),
        (b"caf\xe9 noir", "caf noir"),
        ("", ""),
        ("   ", ""),
    ],
)
def test_normalise(text, normal):
    assert normalise(tf.constant(text)).numpy().decode() == normal


def test_vocabulary_ranks_words_by_frequency_then_alphabet():
    assert vocabulary(["b a c", "C b", "c"], size=2) == ["c", "b"]
    assert vocabulary(["b a"], size=9) == ["a", "b"]


def test_the_vectorizer_leaves_0_for_padding_and_1_for_unknown_words():
    ids = word_vectorizer(["good", "film"])(tf.constant(["film good bad", "", "GOOD"]))
    assert ids.to_list() == [[3, 2, 1], [], [2]]


def test_a_long_text_is_read_whole():
    ids = word_vectorizer(["word"])(tf.constant(["word " * 100_000]))
    assert ids.row_lengths().numpy().tolist() == [100_000]
    assert np.unique(ids.flat_values).tolist() == [2]
