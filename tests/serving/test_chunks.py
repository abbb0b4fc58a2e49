import pytest
import tensorflow as tf

from rnnapps.serving import in_chunks, never_empty


def spied(rows):
    """Doubles its input, and notes the sizes that it is called with."""
    sizes = tf.Variable(tf.zeros([0], tf.int32), shape=[None])

    def double(x, text):
        sizes.assign(tf.concat([sizes, [tf.shape(x)[0]]], axis=0))
        return {"y": 2 * x, "text": text}

    return tf.function(in_chunks(double, rows), autograph=False), sizes


@pytest.mark.parametrize(("size", "chunks"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (7, [3, 3, 1])])
def test_chunks_are_bounded_and_answers_joined_in_order(size, chunks):
    answer, sizes = spied(3)
    x = tf.reshape(tf.range(2 * size), [size, 2])
    text = tf.strings.as_string(x[:, 0])
    joined = answer(x, text)
    assert sizes.numpy().tolist() == chunks
    assert joined["y"].numpy().tolist() == (2 * x).numpy().tolist()
    assert joined["y"].shape == (size, 2)
    assert joined["text"].numpy().tolist() == text.numpy().tolist()


@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_function_that_cannot_bear_no_rows_is_spared_them(size):
    def touchy(x):
        with tf.control_dependencies([tf.debugging.assert_positive(tf.shape(x)[0])]):
            return {"y": x + 1}

    answer = tf.function(never_empty(touchy), autograph=False)
    assert answer(tf.zeros([size, 2]))["y"].numpy().tolist() == [[1, 1]] * size


def test_strings_are_padded_as_numbers_are():
    def first(numbers, text):
        return {"text": tf.fill(tf.shape(text), text[0]), "sum": tf.reduce_sum(numbers, axis=[1, 2])}

    answer = tf.function(never_empty(first), autograph=False)
    assert answer(tf.zeros([0, 4, 2]), tf.constant([], tf.string))["text"].shape == (0,)
    assert answer(tf.ones([1, 4, 2]), tf.constant(["a"]))["text"].numpy().tolist() == [b"a"]


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_matrices_of_unequal_widths_are_padded_to_the_widest(size):
    def words(text):
        places = tf.ragged.range(tf.strings.length(text)).to_tensor()
        return {"words": tf.strings.split(text).to_tensor(""), "places": places}

    texts = ["a b", "c", "d e f", "", "gg"][:size]
    answer = tf.function(in_chunks(words, 2), autograph=False)(tf.constant(texts, tf.string))
    widest = max((len(text.split()) for text in texts), default=0)
    expected = [[*text.encode().split(), *[b""] * (widest - len(text.split()))] for text in texts]
    assert answer["words"].numpy().tolist() == expected
    assert answer["places"].shape == (size, max(map(len, texts), default=0))
