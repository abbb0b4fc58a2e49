"""Subwords as pieces of text, compared with what SentencePiece itself says."""

import sentencepiece
import tensorflow as tf

from rnnapps.text import SubwordPieces, Subwords, train_subwords

TEXTS = ["turn the lights on", "turn the light off in the hall", "the hall's light's on"] * 9


def test_pieces_are_those_of_sentencepiece_without_special_ids_and_bytes():
    vocabulary = train_subwords(TEXTS, 512)
    tokens, theirs = SubwordPieces(Subwords(vocabulary)), sentencepiece.SentencePieceProcessor(model_proto=vocabulary)
    for text in [*TEXTS[:3], "the  nut", ""]:
        numbers = tokens.encode(tf.constant([text])).to_tensor(-1)
        expected = [piece.replace("\u2581", " ") for piece in theirs.encode(text, out_type=str)]
        assert [piece.decode() for piece in tokens.each(numbers)[0].numpy()] == expected
        assert tokens.decode(numbers)[0].numpy().decode().strip() == theirs.decode(theirs.encode(text))
    assert not any(piece.startswith("<") for piece in tokens.pieces) and len(set(tokens.pieces)) == tokens.size


def test_a_character_without_a_piece_is_left_out():
    tokens = SubwordPieces(Subwords(train_subwords(TEXTS, 512)))
    numbers = tokens.encode(tf.constant(["the \u72ac light"])).to_tensor(-1)
    assert tokens.decode(numbers)[0].numpy().decode().split() == ["the", "light"]
