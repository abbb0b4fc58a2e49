import re
import subprocess
import sys
import unicodedata

import keras
import numpy as np
import pytest
import sentencepiece
import tensorflow as tf

from rnnapps.errors import UserError
from rnnapps.text import END, PAD, START, UNKNOWN, Subwords, train_subwords

SENTENCES = [
    f"{who} {what} {where}{mark}"
    for who in ("A man", "Two dogs", "Eine Frau", "Le garçon", "Zwei Mädchen", "Nobody's child")
    for what in ("plays", "is running", "spielt Fußball", "court très vite", "läuft", "sleeps")
    for where in ("outside", "in the street", "auf der Straße", "à la maison", "am 12. März 1987", "in the café")
    for mark in (".", "!", "?", "")
]
HARD = [
    *("", " ", "   ", "a", "A man plays.", "  leading", "trailing  ", "two  spaces", "1234567890", "AC/DC"),
    *(
        "a\tb",
        "a\nb\r\nc",
        "a\0b",
        "\0",
        "日本語のテキスト。",
        "👩‍👩‍👧 and 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
        "½ … ﬁ Ⅷ ①",
        "12\u202f000\u00a0€",
        "e\u0301te\u0301",
    ),
    *("<s>", "</s>", "<pad><unk>", "<0x41>", "▁x", "x" * 5000, "word " * 2000, "\u2028\u2029", "שלום עולם", "\ufeffa"),
    *(b"\xff\xfe", b"caf\xe9", b"a\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98"),
]


@pytest.fixture(scope="module")
def model():
    return train_subwords(SENTENCES, 600)


@pytest.fixture(scope="module")
def package(model):
    return sentencepiece.SentencePieceProcessor(model_proto=model)


def normal(text):
    """What a text is to be after a round trip: composed letters, single spaces."""
    text = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return " ".join(re.findall(r"[^ \t\r\n\u2028\u2029▁]+", unicodedata.normalize("NFC", text)))


def test_ids_in_the_graph_are_those_of_the_sentencepiece_package(model, package):
    encode = tf.function(Subwords(model).encode, input_signature=[tf.TensorSpec([None], tf.string)])
    ids = encode(tf.constant(SENTENCES + HARD))
    assert ids.dtype == tf.int32
    assert ids.to_list() == [package.encode(text) for text in SENTENCES + HARD]


def test_texts_in_the_graph_are_those_of_the_sentencepiece_package(model, package):
    random = np.random.default_rng(0)
    ids = [random.integers(END + 1, package.get_piece_size(), length).tolist() for length in range(50)]
    texts = Subwords(model).decode(tf.ragged.constant(ids, tf.int32)).numpy()
    assert [text.decode() for text in texts] == [package.decode(row) for row in ids]


@pytest.mark.parametrize("text", [*SENTENCES[::100], *HARD])
def test_no_character_is_lost(text, model):
    subwords = Subwords(model)
    ids = subwords.encode(tf.constant([text]))
    assert UNKNOWN not in ids.to_list()[0]
    decoded = subwords.decode(ids).numpy()[0].decode()
    # How many U+FFFD stand for some invalid bytes is a matter of taste.
    assert re.sub("\ufffd+", "\ufffd", decoded) == re.sub("\ufffd+", "\ufffd", normal(text))


def test_special_ids_are_skipped_in_ragged_and_in_padded_ids(model):
    subwords = Subwords(model)
    ids = subwords.encode(tf.constant(["A man plays.", "", "Two dogs"]))
    start, end = tf.fill([3, 1], START), tf.fill([3, 1], END)
    framed = tf.concat([start, ids, end], axis=1)
    for rows in (framed, framed.to_tensor(PAD), tf.cast(framed, tf.int32).to_tensor(PAD, shape=[3, 40])):
        assert subwords.decode(rows).numpy().tolist() == [b"A man plays.", b"", b"Two dogs"]


def test_no_texts_give_no_ids_and_back(model):
    subwords = Subwords(model)
    ids = subwords.encode(tf.constant([], tf.string))
    assert ids.shape[0] == 0
    assert subwords.decode(ids).shape == (0,)


def test_digits_stand_alone(model):
    subwords = Subwords(model)
    pieces = subwords.pieces(subwords.encode(tf.constant(["am 1987"]))).to_list()[0]
    assert [piece.decode() for piece in pieces][-4:] == list("1987")


def test_pieces_of_padded_ids_keep_their_shape(model):
    pieces = Subwords(model).pieces(tf.constant([[START, END], [PAD, PAD]]))
    assert pieces.numpy().tolist() == [[b"<s>", b"</s>"], [b"<pad>", b"<pad>"]]


def test_the_same_texts_give_the_same_model(model):
    assert train_subwords((text.encode() for text in SENTENCES), 600) == model


def test_a_small_text_gives_a_smaller_vocabulary():
    subwords = Subwords(train_subwords(["a b", "c d"], 8000))
    assert 260 < subwords.size < 300


def test_encoding_runs_inside_tf_data(model):
    subwords = Subwords(model)
    texts = tf.data.Dataset.from_tensor_slices(SENTENCES).batch(7).map(subwords.encode, num_parallel_calls=2)
    rows = [row for batch in texts for row in batch.to_list()]
    assert rows == subwords.encode(tf.constant(SENTENCES)).to_list()


def test_the_model_travels_as_text(model):
    text = Subwords(model).to_text()
    assert text.isascii()
    again = Subwords.from_text(text)
    assert again.model == model
    assert again.encode(tf.constant(HARD)).to_list() == Subwords(model).encode(tf.constant(HARD)).to_list()


@pytest.mark.parametrize("text", ["", "no base64!", "bm8gemxpYg==", "eJxLSizKSwUABOUBtw=="])
def test_other_text_is_no_model(text):
    with pytest.raises(ValueError, match=r"."):
        Subwords.from_text(text)


class Reader(keras.layers.Layer):
    """A layer with subwords, as a translator holds them."""

    def __init__(self, subwords):
        super().__init__()
        self.subwords = subwords

    def call(self, texts):
        return self.subwords.encode(texts).to_tensor(PAD)


IN_ANOTHER_PROCESS = """
import sys
import tensorflow as tf, tensorflow_text
loaded = tf.saved_model.load(sys.argv[1])
assert not {"rnnapps", "sentencepiece"} & set(sys.modules)
print(loaded.signatures["serving_default"](tf.constant(["A man", "日本 plays"]))["text"].numpy().tolist())
"""


@pytest.mark.slow
def test_a_saved_model_runs_in_a_process_with_tensorflow_text_alone(model, tmp_path):
    class Translator(tf.Module):
        def __init__(self):
            super().__init__()
            self.reader = Reader(Subwords(model))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def there_and_back(self, text):
            return {"text": self.reader.subwords.decode(self.reader(text))}

    translator = Translator()
    tf.saved_model.save(translator, str(tmp_path), signatures=translator.there_and_back)
    process = subprocess.run(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, tmp_path], capture_output=True, text=True, check=False
    )
    assert process.stdout.strip() == str([b"A man", "日本 plays".encode()]), process.stderr


@pytest.mark.parametrize(
    ("texts", "size", "message"),
    [
        (["a b"], 100, "needs 512 subwords or more, for instance 6000, got 100"),
        ([], 600, "cannot learn a vocabulary of 600 subwords"),
        (["", "  "], 600, "cannot learn a vocabulary of 600 subwords"),
        (["".join(map(chr, range(0x4E00, 0x5300)))], 600, "cannot learn a vocabulary of 600 subwords.*"),
    ],
)
def test_texts_that_give_no_vocabulary_are_told_in_one_line(texts, size, message):
    with pytest.raises(UserError, match=message) as error:
        train_subwords(texts, size)
    assert "\n" not in str(error.value)


def test_a_missing_package_says_what_to_install(model, monkeypatch):
    for package, call in (
        ("sentencepiece", lambda: train_subwords(["a"], 600)),
        ("tensorflow_text", lambda: Subwords(model)),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(UserError, match=r'pip install "rnnapps\[translation\]"'):
                call()


def test_subwords_outlive_a_new_seed(model):
    subwords = Subwords(model)
    compiled = tf.function(subwords.encode, [tf.TensorSpec([None], tf.string)])
    text = tf.constant(["A dog runs."])
    before = compiled(text).to_list()
    tf.random.set_seed(1)  # clears what TensorFlow has cached
    assert compiled(text).to_list() == subwords.encode(text).to_list() == before
