"""Word vectors in the formats that gensim writes, and in GloVe's."""

import gzip

import gensim.models
import numpy as np
import pytest

from rnnapps.errors import UserError
from rnnapps.text import read_vectors

WORDS = ["film", "the", "NASA", "été"]
VECTORS = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")


@pytest.fixture
def trained():
    vectors = gensim.models.KeyedVectors(5)
    vectors.add_vectors(WORDS, VECTORS)
    return vectors


def assert_found(file, tolerance=1e-5):
    found = read_vectors(file, ["film", "nobody", "nasa", "été"])
    assert found.known.tolist() == [True, False, True, True]
    np.testing.assert_allclose(found.vectors[[0, 2, 3]], VECTORS[[0, 2, 3]], atol=tolerance)
    assert not found.vectors[1].any()


@pytest.mark.parametrize("binary", [False, True])
def test_word2vec_is_read_as_text_and_binary(trained, tmp_path, binary):
    trained.save_word2vec_format(str(tmp_path / "vectors"), binary=binary)
    assert_found(tmp_path / "vectors")


def test_glove_is_read_compressed_too(tmp_path):
    lines = [" ".join([word, *map(str, vector)]) for word, vector in zip(WORDS, VECTORS.tolist(), strict=True)]
    (tmp_path / "glove.txt").write_text("\n".join(lines) + "\n", "utf-8")
    assert_found(tmp_path / "glove.txt")
    (tmp_path / "glove.txt.gz").write_bytes(gzip.compress((tmp_path / "glove.txt").read_bytes()))
    assert_found(tmp_path / "glove.txt.gz")


def test_words_with_spaces_and_bytes_that_are_not_utf_8_cost_no_others(tmp_path):
    lines = [f"{word} {' '.join(map(str, vector))}" for word, vector in zip(WORDS, VECTORS.tolist(), strict=True)]
    strange = [b". . . 4 5 6 7 8", b"at name@domain.com 1 2 3 4 5", b"\xff\xfe 1 2 3 4 5"]
    (tmp_path / "glove.txt").write_bytes(b"\n".join([lines[0].encode(), *strange, *map(str.encode, lines[1:])]) + b"\n")
    assert_found(tmp_path / "glove.txt")


@pytest.mark.parametrize(
    ("line", "said"),
    [("the 1 2", "line 2 has 2 numbers, where the first has 5"), ("the 1 2 x 4 5", "line 2: could not")],
)
def test_a_bad_line_is_named(tmp_path, line, said):
    (tmp_path / "glove.txt").write_text(f"film 1 2 3 4 5\n{line}\n")
    with pytest.raises(UserError, match=said):
        read_vectors(tmp_path / "glove.txt", ["film", "the"])


def test_a_fasttext_model_makes_vectors_of_new_words(tmp_path):
    model = gensim.models.FastText(
        [["a", "good", "film"], ["the", "worst", "film"]] * 20, vector_size=6, min_count=1, bucket=50, epochs=1, seed=1
    )
    gensim.models.fasttext.save_facebook_model(model, str(tmp_path / "model.bin"))
    found = read_vectors(tmp_path / "model.bin", ["film", "films"])
    assert found.known.all()
    np.testing.assert_allclose(found.vectors, [model.wv["film"], model.wv["films"]], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "cannot be read as vectors"),
        (b"a text that is\nno table of vectors\n", "cannot be read as vectors"),
        (b"2 3\nfilm 0.1 nan 0.2\nthe 0 0 0\n", "not finite"),
        (b"9 3\nfilm 0.1 0.1 0.2\n", "cannot be read as vectors"),
    ],
)
def test_other_files_are_one_line(tmp_path, content, said):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_vectors(tmp_path / "file", ["film"])
    with pytest.raises(UserError, match="no such file"):
        read_vectors(tmp_path / "missing", ["film"])
