import pytest
import tensorflow_datasets as tfds

from rnnapps.datasets import DataError
from tests.datasets.door import pairs as load_pairs

SPLITS = ("train", "validation", "test")


@pytest.fixture
def corpus(tmp_path):
    """Writes two files of lines and gives the arguments that name them."""

    def write(sources, targets, prefix=""):
        arguments = {}
        for kind, lines in (("source", sources), ("target", targets)):
            path = tmp_path / f"{prefix}{kind}.txt"
            path.write_bytes(lines if isinstance(lines, bytes) else "".join(f"{line}\n" for line in lines).encode())
            arguments[f"{prefix}{kind}"] = path
        return arguments

    return write


def numbered(count, word="line"):
    return [f"{word} {number}" for number in range(count)]


def test_lines_are_paired(corpus):
    pairs = load_pairs(None, "all", **corpus(["Ein Hund. ", "Zwei\u2028Hunde"], b"A dog.\r\nTwo dogs"))
    assert pairs.sources == [b"Ein Hund.", "Zwei\u2028Hunde".encode()]
    assert pairs.targets == [b"A dog.", b"Two dogs"]
    assert (pairs.split, pairs.languages, pairs.rejected) == ("all", None, ())


def test_a_byte_order_mark_is_no_text(corpus):
    pairs = load_pairs(None, "all", **corpus(b"\xef\xbb\xbfeins\n", ["one"]))
    assert pairs.sources == [b"eins"]


def test_parts_are_carved_off_and_fixed_by_the_seed(corpus):
    files = corpus(numbered(200, "Zeile"), numbered(200))
    parts = {split: load_pairs(None, split, **files, seed=1) for split in SPLITS}
    assert [len(pairs.sources) for pairs in parts.values()] == [160, 20, 20]
    assert sorted(s for pairs in parts.values() for s in pairs.sources) == sorted(
        line.encode() for line in numbered(200, "Zeile")
    )
    for pairs in parts.values():
        assert [s.split()[1] for s in pairs.sources] == [t.split()[1] for t in pairs.targets]
    assert load_pairs(None, "test", **files, seed=1) == parts["test"]
    assert load_pairs(None, "test", **files, seed=2).sources != parts["test"].sources


def test_validation_files_leave_the_training_files_whole(corpus):
    files = corpus(numbered(50), numbered(50)) | corpus(["dev"], ["Dev"], "validation-")
    files = {name.replace("-", "_"): path for name, path in files.items()}
    assert len(load_pairs(None, "train", **files).sources) == 50
    assert load_pairs(None, "validation", **files).targets == [b"Dev"]
    with pytest.raises(DataError, match="no test part: name files with --source"):
        load_pairs(None, "test", **files)


def test_unequal_files_stop_with_both_counts(corpus):
    with pytest.raises(DataError, match=r"source.txt has 1,003 lines but .*target.txt has 1,002") as error:
        load_pairs(None, "train", **corpus(numbered(1003), numbered(1002)))
    assert "\n" not in str(error.value)


BAD = (
    b"good\n\n\xff\xfe bad\nlong\ngood again\n  \nshort\n",
    b"gut\nleer\nschlecht\n" + b"so viele Worte " * 9 + b"\nwieder gut\nx\n" + b"y" * 1501 + b"\n",
)


def test_bad_pairs_are_named_by_line_and_left_out(corpus):
    files = corpus(*BAD)
    pairs = load_pairs(None, "train", **files)
    assert [(row.line, row.path.name) for row in pairs.rejected] == [
        *((2, "source.txt"), (3, "source.txt"), (4, "target.txt"), (6, "source.txt"), (7, "target.txt"))
    ]
    reasons = [row.reason for row in pairs.rejected]
    assert reasons[0] == reasons[3] == "the source is empty"
    assert reasons[1] == "the source is not UTF-8"
    assert reasons[2] == "4 characters of source and 134 of target: hardly a translation"
    assert reasons[4] == "1,501 characters, more than 1,500"
    with pytest.raises(DataError, match=r"source\.txt:2: the source is empty"):
        load_pairs(None, "train", **files, strict=True)


def test_what_is_to_be_judged_is_not_chosen_by_length(corpus):
    """Only pairs that are none are left out of other splits than train: figures must be of the whole test set."""
    pairs = load_pairs(None, "all", **corpus(*BAD))
    assert [row.line for row in pairs.rejected] == [2, 3, 6]


def test_a_compound_and_an_ideographic_text_are_no_absurd_pairs(corpus):
    sources = ["neunhundertsiebenundsechzigtausendfünfhundertzweiunddreißig", "两只狗在公园里跑。"]
    targets = [
        "nine hundred and sixty-seven thousand, five hundred and thirty-two",
        "Two dogs are running in the park.",
    ]
    assert not load_pairs(None, "train", **corpus(sources * 5, targets * 5)).rejected


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "name a set with --dataset, or two files of lines with --source and --target"),
        ({"source": "a"}, "--source a needs --target FILE"),
        ({"validation_target": "a"}, "--validation-target a needs --validation-source FILE"),
        ({"dataset": "expressions", "target": "b"}, "--target cannot be combined with --dataset expressions"),
        ({"source": "/no/such", "target": "b"}, "/no/such: cannot be read: No such file"),
        ({"dataset": "pairs.tsv"}, "no such file or folder: 'pairs.tsv'"),
        ({"dataset": ""}, "no such file or folder"),
        ({"dataset": "ted_hrlr_translate/pt_to_fr"}, "ted_hrlr_translate has no configuration 'pt_to_fr'"),
        (
            {"dataset": "expression"},
            "no data set by that name is known.*Named sets: expressions.*any TFDS translation data set",
        ),
        (
            {"dataset": "expressions", "split": "all"},
            "expressions: a split must be one of train, validation, test, got 'all'",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(arguments, message, tmp_path, monkeypatch):
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", lambda *a, **k: pytest.fail("download"))
    with pytest.raises(DataError, match=message) as error:
        load_pairs(**{"dataset": None, "split": "train", "data_dir": tmp_path, **arguments})
    assert "\n" not in str(error.value)


def test_a_utf_16_file_is_named(corpus):
    with pytest.raises(DataError, match=r"source\.txt: the file is UTF-16"):
        load_pairs(None, "train", **corpus("ein".encode("utf-16"), ["one"]))


def test_files_without_pairs_are_told(corpus):
    with pytest.raises(DataError, match=r"there are no pairs \(no lines\)"):
        load_pairs(None, "train", **corpus(b"", b""))
    with pytest.raises(DataError, match=r"all 1 pairs are bad, the first: .*source.txt:1: the source is empty"):
        load_pairs(None, "train", **corpus(b"\n", b"x\n"))


def test_a_tsv_has_a_pair_a_line(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text('Go.\tGeh.\tCC-BY 2.0\n"Hi," he said\t„Hallo“, sagte er\nno tab\n', encoding="utf-8")
    pairs = load_pairs(path, "all")
    assert pairs.sources == [b"Go.", b'"Hi," he said']
    assert pairs.targets == [b"Geh.", "„Hallo“, sagte er".encode()]
    assert [str(row) for row in pairs.rejected] == [f"{path}:3: no tab between source and target"]


def test_a_folder_has_a_tsv_for_each_part(tmp_path):
    for name, count in (("train", 30), ("dev", 3)):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{name} {n}\tx {n}\n" for n in range(count)))
    assert len(load_pairs(tmp_path, "train").sources) == 30
    assert load_pairs(tmp_path, "validation").sources == [b"dev 0", b"dev 1", b"dev 2"]
    assert len(load_pairs(tmp_path, "all").sources) == 33
    with pytest.raises(DataError, match="no test part"):
        load_pairs(tmp_path, "test")
    (tmp_path / "valid.tsv").write_text("a\tb\n")
    with pytest.raises(DataError, match=r"dev\.tsv and valid\.tsv both name the validation part; keep one"):
        load_pairs(tmp_path, "train")
    (tmp_path / "valid.tsv").unlink()
    (tmp_path / "train.tsv").unlink()
    with pytest.raises(DataError, match=r"there is no train\.tsv in this folder"):
        load_pairs(tmp_path, "train")


def test_a_translation_set_of_tfds_goes_through_the_same_door(tmp_path, monkeypatch):
    """TFDS's own builder, given an archive in the form of the real one instead of a download."""
    folder = tmp_path / "archive"
    for part, count in (("train", 30), ("dev", 4), ("test", 5)):
        for code in ("pt", "en"):
            file = folder / "datasets" / "pt_to_en" / f"{code}.{part}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f"{code} {part} {number}\n" for number in range(count)))
    monkeypatch.setattr(tfds.download.DownloadManager, "download_and_extract", lambda self, url: tfds.core.Path(folder))
    for split, part, count in (("train", "train", 30), ("validation", "dev", 4), ("test", "test", 5)):
        pairs = load_pairs("ted_hrlr_translate/pt_to_en", split, data_dir=tmp_path)
        assert pairs.languages == ("pt", "en")
        assert sorted(pairs.sources) == sorted(f"pt {part} {number}".encode() for number in range(count))
        assert [s.split()[1:] for s in pairs.sources] == [t.split()[1:] for t in pairs.targets]


class TinyTranslations(tfds.core.GeneratorBasedBuilder):
    """A set with a train part alone."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = tfds.features.Translation(languages=("en", "la"))
        return tfds.core.DatasetInfo(builder=self, features=features, supervised_keys=("la", "en"))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(50):
            yield number, {"en": f"line {number}", "la": f"linea {number}" if number else ""}


def test_parts_that_tfds_lacks_are_carved_off(tmp_path):
    parts = [load_pairs("tiny_translations", split, data_dir=tmp_path) for split in SPLITS]
    assert [len(pairs.sources) + len(pairs.rejected) for pairs in parts] == [40, 5, 5]
    assert parts[0].languages == ("la", "en")
    every = [source for pairs in parts for source in pairs.sources]
    assert len(set(every)) == 49 and all(source.startswith(b"linea") for source in every)
    (empty,) = [row for pairs in parts for row in pairs.rejected]
    assert empty.reason == "the source is empty"


class TinyWords(tfds.core.GeneratorBasedBuilder):
    """A set of something else."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict({"a": tfds.features.Text()}))

    def _split_generators(self, dl_manager):
        return {"train": iter([(0, {"a": "b"})])}

    def _generate_examples(self):
        raise NotImplementedError


def test_a_set_of_something_else_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"tiny_words/1\.0\.0: is not a set of translations between two languages"):
        load_pairs("tiny_words", "train", data_dir=tmp_path)


def test_a_set_of_another_kind_is_refused_before_anything_is_downloaded(tmp_path):
    with pytest.raises(DataError, match="is not a set of translations between two languages"):
        load_pairs("imdb_reviews", "train", data_dir=tmp_path)
    assert not list(tmp_path.rglob("*"))
