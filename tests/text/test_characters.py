"""Characters to numbers and back."""

import pytest
import tensorflow as tf

from rnnapps.text import Characters


def test_any_script_comes_back_as_it_was_and_strangers_are_left_out():
    alphabet = Characters(sorted(set(" aäßж犬'z")))
    texts = ["a ä", "犬жz", "", "ßß'a"]
    numbers = alphabet.encode(tf.constant(texts))
    assert [[alphabet.pieces[number] for number in row] for row in numbers.to_list()] == [list(text) for text in texts]
    assert [text.decode() for text in alphabet.decode(numbers.to_tensor(-1)).numpy()] == texts
    assert alphabet.decode(alphabet.encode(tf.constant(["aXbz"])).to_tensor(-1)).numpy().tolist() == [b"az"]


@pytest.mark.parametrize("wrong", ["", "aa", ["ab"], ["a", ""]])
def test_pieces_are_single_characters_each_once(wrong):
    with pytest.raises(ValueError, match="single characters"):
        Characters(wrong)
