"""Characters, words and subwords: nothing is lost on the way to ids and back."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from rnnapps.apps.language.token_file import tokenized
from rnnapps.apps.language.tokens import END, NEWLINE, UNKNOWN, Tokens, learn, split_words
from rnnapps.datasets import Corpus
from rnnapps.datasets.corpora import of_documents
from rnnapps.text import normalise

TEXT = "The cat's 2 dogs — été!\n\nA dog, two  dogs; film noir.\n" * 20
STRANGE = ["", " ", "\n", "été", "é", "🎉 电影", "a\x00b", "\x1f", "tabs\tand\n\nbreaks\n", "The dogs!"]


def corpus(*documents: str) -> Corpus:
    contents = [document.encode(errors="surrogateescape") for document in documents]
    return Corpus(of_documents(lambda: contents), sum(map(len, contents)), "some", "some", "train")


def ids(tokens: Tokens, text: str | bytes) -> list[int]:
    return tokens.encode(tf.constant([text])).to_list()[0]


@pytest.mark.parametrize("text", STRANGE)
def test_characters_come_back_as_they_were(text):
    tokens = Tokens("char", learn("char", corpus(TEXT)))
    assert tokens.decode(tokens.encode(tf.constant([text, "dog"])))[0].numpy().decode() == text


def test_a_known_character_is_one_token_and_an_unknown_one_its_bytes():
    tokens = Tokens("char", learn("char", corpus(TEXT)))
    assert len(ids(tokens, "été")) == 3
    assert [tokens.pieces[number] for number in ids(tokens, "a电")] == [b"a", b"\xe7", b"\x94", b"\xb5"]
    assert ids(tokens, "\n") == [NEWLINE]
    assert tokens.pieces[ids(tokens, "o")[0]] == b"o"


def test_bytes_that_are_no_text_become_replacement_characters():
    tokens = Tokens("char", learn("char", corpus(TEXT)))
    assert tokens.decode(tf.constant([ids(tokens, b"a\xffb")])).numpy()[0].decode() == "a\ufffdb"


def test_the_most_frequent_characters_and_words_are_known():
    assert learn("char", corpus("aaabbc"), 261) == ["a"]
    assert learn("word", corpus("a dog, a dog, a cat. a"), 7) == [" a", " dog", ","]


def test_words_seen_once_are_unknown():
    assert learn("word", corpus("a dog, a dog, a cat. a")) == [" a", " dog", ","]
    assert learn("word", corpus("a dog, a dog, a cat. a"), 9) == [" a", " dog", ","]
    assert learn("word", corpus("each word once")) == [" once", " word", "each"]  # there would be none


def test_words_come_back_where_they_are_known():
    tokens = Tokens("word", learn("word", corpus(TEXT)))
    assert tokens.decode(tokens.encode(tf.constant([TEXT])))[0].numpy().decode() == TEXT
    assert ids(tokens, "The zebra") == [*ids(tokens, "The"), UNKNOWN]
    assert tokens.decode(tokens.encode(tf.constant(["The zebra"])))[0].numpy() == b"The <unk>"


def test_a_word_is_never_written_right_behind_another():
    tokens = Tokens("word", ["cat", " cat", "s", "2", ".", " 3", "'"])
    cat, spaced_cat, s, two, dot, three, quote = range(END + 1, END + 8)
    joined = tokens.would_join(tf.constant([cat, spaced_cat, two, three, dot, NEWLINE, UNKNOWN])).numpy()
    never = [set(np.flatnonzero(row)) for row in joined]
    after_words = {cat, s, quote}  # a quotation mark belongs to the word before it: "dogs'"
    assert never == [after_words, after_words, {two}, {two}, set(), set(), after_words]  # "2nd" is two tokens
    assert not Tokens("char", ["a"]).would_join(tf.constant([END + 257])).numpy().any()


def test_words_take_the_space_before_them():
    assert b"".join(split_words(tf.constant(["It's  9\to'clock, sir!\n"])).to_list()[0]).decode() == (
        "It's  9\to'clock, sir!\n"
    )


@pytest.mark.parametrize("text", ["A dog, two dogs;\nfilm\n\nnoir.", "é", "\n", "two\n"])
def test_subwords_come_back_with_their_line_breaks(text):
    tokens = Tokens("subword", learn("subword", corpus(TEXT), 512))
    assert tokens.decode(tokens.encode(tf.constant([text])))[0].numpy().decode() == text


def test_empty_lines_of_normalised_texts_stay():
    tokens = Tokens("word", [" b"], normalised=True)
    expected = [[NEWLINE], [NEWLINE, NEWLINE, END + 1], [END + 1, NEWLINE, NEWLINE], []]
    assert tokens.encode(tf.constant(["\n", "\n\nB", "b\n\n", ""])).to_list() == expected


def test_normalised_words_are_those_of_the_word_models():
    text = "It's a self-made FILM!<br />\nGreat (really)"
    tokens = Tokens("word", learn("word", corpus(text), normalised=True), normalised=True)
    words = [tokens.pieces[number].decode().strip() for number in ids(tokens, text)]
    assert [word for word in words if word] == normalise(tf.constant(text)).numpy().decode().split()
    assert tokens.decode(tokens.encode(tf.constant([text])))[0].numpy().decode() == (
        "it's a self-made film !\ngreat ( really )"
    )


def test_a_text_keeps_its_first_space_within_a_line():
    tokens = Tokens("word", learn("word", corpus("a good film"), normalised=True), normalised=True)
    encoded = tokens.encode(tf.constant(["film"] * 4))
    texts = tokens.decode(encoded, after=tf.constant(["A good", "A good ", "", "Good\n"])).numpy().tolist()
    assert texts == [b" film", b"film", b"film", b"film"]


def test_a_token_file_has_an_end_after_each_document():
    documents = ["The dog", "two\n" * 400_000, "é"]  # the second is more than a block
    tokens = Tokens("char", learn("char", corpus(TEXT)))
    file = tokenized(tokens, corpus(*documents))
    expected = [number for document in documents for number in (*ids(tokens, document), END)]
    np.testing.assert_array_equal(file.ids, expected)
    assert (file.characters, file.words) == (sum(map(len, documents)), 2 + 400_000 + 1)


def test_bytes_that_are_not_utf8_are_reported(capsys):
    tokens = Tokens("char", learn("char", corpus(TEXT)))
    text = dataclasses.replace(corpus("dog \udce9 dog"), identity="foreign")
    for _ in range(2):  # the second time from the cache
        file = tokenized(tokens, text)
        assert file.characters == len("dog ? dog")
        assert "has bytes that are not UTF-8, the first byte 0xe9" in capsys.readouterr().err


def test_an_end_spells_nothing():
    tokens = Tokens("char", learn("char", corpus(TEXT)))
    assert tokens.decode(tf.constant([[END, *ids(tokens, "dog"), END, 0]])).numpy().tolist() == [b"dog"]
