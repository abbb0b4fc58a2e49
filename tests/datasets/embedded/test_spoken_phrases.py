"""The embedded sentences: what is said, by whom, and that every machine makes the same."""

import itertools
import re

import numpy as np
import pytest
import tensorflow_datasets as tfds

from rnnapps.datasets import NAMED_SETS, TranscriptSource, load_splits
from rnnapps.datasets.embedded import spoken_phrases
from rnnapps.datasets.embedded.speaking import Spoken, speak
from rnnapps.datasets.embedded.spoken_phrases import SIZES, texts


def test_texts_are_words_in_lower_case_and_never_repeat():
    found = list(itertools.islice(texts(), 3000))
    assert len(set(found)) == 3000
    assert all(re.fullmatch(r"[a-z']+( [a-z']+)*", text) for text in found)
    assert found[:3] == ["the year twenty ninety one", "at ten to nine in the morning", "at twenty to nine"]
    for part in ("euros", "quarter past", "january", "turn on the", "dial ", "kilometers"):
        assert any(part in text for text in found), part
    assert dict(NAMED_SETS["spoken_phrases"].sizes) == SIZES


def test_processes_of_their_own_make_the_same_clips_again():
    sentences = [Spoken("turn on the radio", "f1", 1), Spoken("ten past five", "m3", 2), Spoken("two", "f1", 3)]
    once, again = (list(speak(sentences)) for _ in range(2))
    for clip, same in zip(once, again, strict=True):
        assert clip.dtype == np.int16 and 0.3 < len(clip) / 16_000 < 4
        np.testing.assert_array_equal(clip, same)
    assert len(once[0]) > len(once[2])


@pytest.fixture
def few(monkeypatch, tmp_path):
    """The set in small, in a folder of its own."""
    monkeypatch.setattr(spoken_phrases, "SIZES", {"train": 12, "validation": 4, "test": 5})
    monkeypatch.setattr(tfds.core.utils.gcs_utils, "exists", lambda *_: False)
    return tmp_path


def test_the_set_is_prepared_once_and_no_voice_or_text_is_in_two_splits(few, monkeypatch):
    source = TranscriptSource(data_dir=few)
    splits = load_splits(source)
    assert [len(split) for split in splits.values()] == [12, 4, 5]
    said = [set(split.texts) for split in splits.values()]
    assert sum(map(len, said)) == len(set.union(*said)) == 21
    builder = NAMED_SETS["spoken_phrases"].make(str(few))
    speakers = [
        {example["speaker"] for example in builder.as_dataset(split=split).as_numpy_iterator()} for split in splits
    ]
    assert sum(map(len, speakers)) == len(set.union(*speakers))
    assert "GPL" in builder.info.redistribution_info.license
    monkeypatch.setattr(spoken_phrases, "speak", lambda _: pytest.fail("spoken again"))
    assert load_splits(source, ["test"])["test"].texts == splits["test"].texts


def test_a_set_of_tfds_is_read_by_its_texts_and_the_first_splits_of_a_kind(tmp_path, monkeypatch):
    class Small(tfds.core.GeneratorBasedBuilder):
        """As librispeech: speech, text, and several splits for one purpose."""

        name = "small_librispeech"
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"speech": tfds.features.Audio(sample_rate=16_000), "text": tfds.features.Text()}
            return tfds.core.DatasetInfo(
                builder=self, features=tfds.features.FeaturesDict(features | {"id": tfds.features.Text()})
            )

        def _split_generators(self, manager):
            names = ("train_clean100", "train_clean360", "dev_other", "dev_clean", "test_clean")
            return {name: self._generate_examples(name) for name in names}

        def _generate_examples(self, name):
            for number, text in enumerate((f"FROM {name[:3]} {name[-1]}", "!!!")):
                samples = (1000 * np.sin(np.arange(16_000) / 10)).astype(np.int64)
                yield number, {"speech": samples, "text": text, "id": str(number)}

    splits = load_splits(TranscriptSource("small_librispeech", sample_rate=8000, data_dir=tmp_path, digits="keep"))
    assert [split.texts for split in splits.values()] == [[b"from tra 0"], [b"from dev n"], [b"from tes n"]]
    assert all(len(split.waveforms[0]) == 8000 and len(split.rejected) == 1 for split in splits.values())
