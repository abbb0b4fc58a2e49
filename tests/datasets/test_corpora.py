"""Running text: blocks of any file, splits by position, folders and names."""

import gzip
from pathlib import Path

import pytest

from rnnapps.datasets import CorpusSource, DataError, absolute, corpora, load_splits, summary

LINES = "".join(f"line {number}: été 🎉\n" for number in range(1000))


def text_of(corpus) -> bytes:
    return b"".join(block.text for block in corpus.read())


def write(path: Path, text: str = LINES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(corpora, "BLOCK", 64)


@pytest.mark.parametrize("text", [LINES, "x" * 5000, "é" * 5000, "word " * 999, "\n", "a"])
def test_blocks_are_the_whole_text_and_cut_no_character(tmp_path, small_blocks, text):
    corpus = load_splits(CorpusSource(str(write(tmp_path / "a.txt", text))), ["all"])["all"]
    blocks = list(corpus.read())
    assert b"".join(block.text for block in blocks).decode() == text
    for block in blocks:
        block.text.decode()
        assert 0 < len(block.text) < 130
    assert [block.last for block in blocks] == [False] * (len(blocks) - 1) + [True]


def test_the_last_tenth_validates_and_tests_and_cuts_are_between_lines(tmp_path, small_blocks):
    splits = load_splits(CorpusSource(str(write(tmp_path / "a.txt"))))
    train, validation, test = (text_of(splits[name]).decode() for name in ("train", "validation", "test"))
    assert train + validation == LINES and test == validation
    assert train.endswith("\n")
    assert len(train.encode()) == pytest.approx(0.9 * len(LINES.encode()), abs=30)
    assert any("no test text" in line for line in summary(splits.values()))
    assert len({split.identity for split in splits.values()}) == 2


def test_folders_and_options_may_say_what_is_in_which_split(tmp_path):
    for name in ("train/b.txt", "train/a.txt", "valid.txt", "test.txt"):
        write(tmp_path / name, f"{name}\n")
    write(tmp_path / "train" / ".hidden", "no")
    splits = load_splits(CorpusSource(str(tmp_path)))
    assert [text_of(split) for split in splits.values()] == [
        b"train/a.txt\ntrain/b.txt\n",
        b"valid.txt\n",
        b"test.txt\n",
    ]
    assert sum(block.last for block in splits["train"].read()) == 2
    other = load_splits(CorpusSource(str(tmp_path / "train"), test=tmp_path / "valid.txt"), ["test"])
    assert text_of(other["test"]) == b"valid.txt\n"


def test_compressed_and_several_files_are_one_text(tmp_path):
    plain, packed = write(tmp_path / "a.txt"), tmp_path / "b.gz"
    packed.write_bytes(gzip.compress(LINES.encode()))
    source = absolute(CorpusSource(f"{plain}, {packed}"))
    assert source.dataset == f"{plain},{packed}"
    whole = load_splits(source, ["all"])["all"]
    assert text_of(whole).decode() == LINES * 2 and whole.bytes == 2 * len(LINES.encode())


def test_a_comma_in_one_of_several_paths_is_refused(tmp_path, monkeypatch):
    one = write(tmp_path / "x,y" / "a.txt")
    write(tmp_path / "b.txt")
    assert absolute(CorpusSource(str(one))).dataset == str(one)
    monkeypatch.chdir(one.parent)
    with pytest.raises(DataError, match=r"x,y/a\.txt: commas separate paths; rename the file or its folder"):
        absolute(CorpusSource("../b.txt,a.txt"))


def test_the_training_text_may_be_limited(tmp_path):
    splits = load_splits(CorpusSource(str(write(tmp_path / "a.txt")), megabytes=0.001))
    assert len(text_of(splits["train"])) == pytest.approx(1000, abs=30)
    assert LINES.encode().startswith(text_of(splits["train"]))
    assert len(text_of(splits["test"])) == pytest.approx(100, abs=30)


def test_bytes_are_kept_and_a_byte_order_mark_is_not(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfcaf\xe9\n")
    assert text_of(load_splits(CorpusSource(str(path)), ["all"])["all"]) == b"caf\xe9\n"


@pytest.mark.parametrize(
    ("content", "name", "reason"),
    [
        (b"", "a.txt", "no text"),
        (b"a\0b", "a.txt", "binary"),
        (b"not gzip", "a.gz", "rename it without .gz"),
        (gzip.compress(b"a film " * 99, mtime=0)[:-9], "a.gz", "it is cut off; copy it again"),
        (None, "a.txt", "a.txt"),
    ],
)
def test_what_is_no_text_is_refused_in_one_line(tmp_path, content, name, reason):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as error:
        load_splits(CorpusSource(str(path)))
    assert name in str(error.value) and "\n" not in str(error.value)


def test_what_is_no_text_in_a_folder_is_skipped_with_a_remark(tmp_path):
    write(tmp_path / "texts" / "a.txt")
    (tmp_path / "texts" / "cover.png").write_bytes(b"\x89PNG\0")
    splits = load_splits(CorpusSource(str(tmp_path / "texts")))
    (remark, _) = list(summary(splits.values()))[1:]
    assert remark.startswith("skipped 1 file: ") and "cover.png: is binary" in remark
    assert b"PNG" not in text_of(splits["train"])
    (tmp_path / "texts" / "a.txt").unlink()
    with pytest.raises(DataError, match=r"no text found \(the first problem: .*cover.png: is binary"):
        load_splits(CorpusSource(str(tmp_path / "texts")))


@pytest.mark.slow
def test_labelled_texts_are_a_corpus_without_their_labels():
    splits = load_splits(CorpusSource("movie_sentences"))
    documents = sum(block.last for block in splits["test"].read())
    assert list(splits) == ["train", "validation", "test"] and documents == 850
    with pytest.raises(DataError, match="Did you mean movie_sentences"):
        load_splits(CorpusSource("movie_sentence"))
