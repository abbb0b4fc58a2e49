"""Speakers of TFDS sets that have only a train part: whole in one split, or a line says that they are not."""

import numpy as np
import pytest
import tensorflow_datasets as tfds

from rnnapps.datasets import RecordingSource, TranscriptSource, load_splits, summary
from rnnapps.datasets.tfds_speakers import speaker_feature, tfds_speakers

PEOPLE = ("ann", "bob", "cleo", "dora", "eva", "finn", "gus", "hal", "ida", "jo")


class TinyVoices(tfds.core.GeneratorBasedBuilder):
    """Ten people say two words three times; the configuration is how the set says who they are."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name) for name in ("feature", "filename", "nothing")]  # noqa: RUF012

    def _info(self):
        features = {
            "audio": tfds.features.Audio(sample_rate=8000),
            "label": tfds.features.ClassLabel(names=["yes", "no"]),
            "text": tfds.features.Text(),
        }
        if self.builder_config.name == "feature":
            features["speaker_id"] = np.int64
        if self.builder_config.name == "filename":
            features["audio/filename"] = tfds.features.Text()
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for person, name in enumerate(PEOPLE):
            for take in range(6):
                word = ("yes", "no")[take % 2]
                samples = np.full(800, 100 * (person + 1) + take) + np.arange(800) % 2
                example = {"audio": samples, "label": word, "text": f"{word} {take}"}
                if self.builder_config.name == "feature":
                    example["speaker_id"] = 40 + person
                if self.builder_config.name == "filename":
                    example["audio/filename"] = f"{word}_{name}_{take}.wav"
                yield f"{person} {take}", example


def loaded(kind, name, folder):
    splits = load_splits(kind(dataset=f"tiny_voices/{name}", data_dir=folder, sample_rate=8000))
    people = [{int(waveform[0]) // 100 for waveform in split.waveforms} for split in splits.values()]
    assert sum(map(len, splits.values())) == 60 and len(set().union(*people)) == 10
    return people, summary(splits.values())


@pytest.mark.parametrize(
    ("kind", "name", "rule"),
    [
        (RecordingSource, "feature", "the feature 'speaker_id'"),
        (RecordingSource, "filename", "the file names"),
        (TranscriptSource, "feature", "the feature 'speaker_id'"),
    ],
)
def test_speakers_are_whole(tmp_path, kind, name, rule):
    people, lines = loaded(kind, name, tmp_path)
    assert [len(split) for split in people] == [8, 1, 1]
    assert any(f"10 speakers by {rule}" in line and "are in one split" in line for line in lines)


@pytest.mark.parametrize("kind", [RecordingSource, TranscriptSource])
def test_unknown_speakers_are_named_as_such(tmp_path, kind):
    people, lines = loaded(kind, "nothing", tmp_path)
    assert len(people[1]) > 1
    assert "the set does not say who speaks, so a speaker may be in several splits" in lines


def test_the_label_is_nobody_who_speaks():
    features = {"speaker": tfds.features.ClassLabel(names=["ann", "bob"]), "audio": tfds.features.Audio()}
    assert speaker_feature(features, "speaker") is None
    assert speaker_feature(features, "word") == "speaker"


def test_recordings_of_unknown_speakers_are_by_different_people():
    assert len(set(tfds_speakers("speaker_id", [3, -1, -1, 3], ["yes"] * 4).of)) == 3
    assert len(set(tfds_speakers("speaker_id", [b"ann", b"", b""], ["yes"] * 3).of)) == 3
