"""Recordings of one's own: layouts, splits, bad files."""

import numpy as np
import pytest
import soundfile

from rnnapps.datasets import DataError, load_splits
from rnnapps.paths import RecordingSource
from tests.audio.recordings import RATE, tone

KINDS = ("high", "low", "rising")
SPEAKERS = ("ann", "bob", "cem", "dee", "eva", "fay")


@pytest.fixture
def folder(tmp_path):
    random = np.random.default_rng(0)
    for kind in KINDS:
        (tmp_path / kind).mkdir()
        for speaker in SPEAKERS:
            for number in range(2):
                soundfile.write(tmp_path / kind / f"{kind}_{speaker}_{number}.wav", tone(kind, random), RATE)
    return tmp_path


def load(path, split="all", **kwargs):
    source = RecordingSource(dataset=str(path), sample_rate=RATE, **kwargs)
    return load_splits(source, [split])[split]


def names(split):
    return {source.rsplit("/", 1)[1] for source in split.paths}


def speakers(split):
    return {name.split("_")[1] for name in names(split)}


def test_a_folder_per_class_gives_clips_and_labels(folder):
    found = load(folder)
    assert found.classes == KINDS
    assert len(found.waveforms) == len(found.labels) == 36
    assert found.waveforms[0].dtype == np.int16
    for source, label in zip(found.paths, found.labels, strict=True):
        assert f"/{KINDS[label]}/" in source


def test_splits_are_whole_disjoint_and_the_same_again(folder):
    splits = [load(folder, split) for split in ("train", "validation", "test")]
    assert sum(len(split.labels) for split in splits) == 36
    assert len(set.union(*(names(split) for split in splits))) == 36
    assert names(splits[2]) == names(load(folder, "test"))
    assert names(splits[2]) != names(load(folder, "test", seed=1))


@pytest.mark.parametrize("pattern", [r"_([a-z]+)_\d", r"_[a-z]{3}_"])
def test_split_by_keeps_a_speaker_in_one_split(folder, pattern):
    splits = [load(folder, split, split_by=pattern) for split in ("train", "validation", "test")]
    heard = [speakers(split) for split in splits]
    assert set.union(*heard) == set(SPEAKERS)
    assert sum(map(len, heard)) == len(SPEAKERS)


def test_test_files_are_the_test_split(folder):
    assert speakers(load(folder, "test", test_files="_bob_")) == {"bob"}
    for split in ("train", "validation"):
        assert "bob" not in speakers(load(folder, split, test_files="_bob_"))


def test_folders_called_train_and_test_are_those_splits(folder):
    for part in ("train", "test"):
        (folder / part).mkdir()
    for kind in KINDS:
        (folder / kind).rename(folder / "train" / kind)
        (folder / "test" / kind).mkdir()
        file = f"{kind}_ann_0.wav"
        (folder / "train" / kind / file).rename(folder / "test" / kind / file)
    assert names(load(folder, "test")) == {f"{kind}_ann_0.wav" for kind in KINDS}
    assert len(load(folder, "train").labels) == 30


def test_a_manifest_names_paths_labels_splits_and_speakers(folder):
    lines = ["path,label,split,speaker"]
    for kind in KINDS:
        for speaker in SPEAKERS:
            split = "test" if speaker == "eva" else ""
            lines += [f"{kind}/{kind}_{speaker}_{number}.wav,{kind.upper()},{split},{speaker}" for number in range(2)]
    lines += [
        "low/low_ann_0.wav,LOW,somewhere,ann",
        ",LOW,,ann",
        "nowhere.wav,LOW,,ann",
        "./low/low_ann_0.wav,HIGH,,ann",
    ]
    manifest = folder / "data.csv"
    manifest.write_text("\n".join(lines) + "\n")
    test, validation = load(manifest, "test"), load(manifest, "validation")
    assert test.classes == ("HIGH", "LOW", "RISING")
    assert speakers(test) == {"eva"} and len(test.labels) == 6
    assert len(speakers(validation)) == 1  # a tenth, but a speaker is not torn apart
    assert speakers(validation).isdisjoint(speakers(load(manifest, "train")))
    reasons = [str(bad) for bad in load(manifest).rejected]
    assert len(reasons) == 4
    assert "data.csv:38: 'split' is 'somewhere'" in reasons[0]
    assert "data.csv:39: path or label is empty" in reasons[1]
    assert "data.csv:41: ./low/low_ann_0.wav stands in line" in reasons[2]
    assert "nowhere.wav: cannot be read: No such file" in reasons[3]


BAD = {
    "empty.wav": (b"", "the file is empty"),
    "text.wav": (b"no sound\n" * 99, "not a recording in a known format"),
    "notes.txt": (b"no sound\n" * 99, "not a recording in a known format"),
    "one.wav": (np.array([0.5]), "0.125 ms long"),
    "silent.wav": (np.zeros(RATE), "no sound in it"),
}


@pytest.fixture
def folder_with_bad_files(folder):
    for name, (content, _) in BAD.items():
        if isinstance(content, bytes):
            (folder / "low" / name).write_bytes(content)
        else:
            soundfile.write(folder / "low" / name, content, RATE)
    return folder


def test_bad_files_are_named_and_skipped(folder_with_bad_files):
    found = load(folder_with_bad_files)
    assert len(found.labels) == 36
    reasons = {bad.path.name: bad.reason for bad in found.rejected}
    assert set(reasons) == set(BAD)
    for name, (_, reason) in BAD.items():
        assert reason in reasons[name]


def test_strict_stops_at_a_bad_file(folder_with_bad_files):
    with pytest.raises(DataError, match=r"low/empty.wav: the file is empty"):
        load(folder_with_bad_files, strict=True)


def test_other_formats_rates_and_channels_are_brought_to_one(folder):
    random = np.random.default_rng(1)
    clip = np.stack([tone("low", random, 44100)] * 2, axis=1)
    soundfile.write(folder / "low" / "stereo.flac", clip, 44100, subtype="PCM_24")
    found = load(folder)
    added = found.waveforms[[source.endswith("stereo.flac") for source in found.paths].index(True)]
    assert len(added) == pytest.approx(len(clip) * RATE / 44100, abs=1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"split_by": "[", "split": "train"}, "is not a regular expression"),
        ({"split_by": "xyz", "split": "train"}, "--split-by 'xyz' is not found in 'high/high_ann_0.wav'"),
        ({"split_by": "wav", "split": "train"}, "1 groups .* cannot make train, test and validation"),
        ({"test_files": "xyz", "split": "test"}, "--test-files 'xyz' is found in no path"),
        ({"test_files": "wav", "split": "train"}, "nothing is left to train on"),
    ],
)
def test_patterns_that_do_not_fit_are_named(folder, arguments, complaint):
    with pytest.raises(DataError, match=complaint):
        load(folder, **arguments)


def test_data_that_are_none_are_named(folder, tmp_path):
    with pytest.raises(DataError, match="no such file or folder"):
        load(tmp_path / "nowhere")
    (tmp_path / "hollow").mkdir()
    with pytest.raises(DataError, match=r"no recordings .one folder per class"):
        load(tmp_path / "hollow")
    with pytest.raises(DataError, match="of one class, 'low'"):
        (tmp_path / "hollow" / "low").mkdir()
        (folder / "low" / "low_ann_0.wav").rename(tmp_path / "hollow" / "low" / "a.wav")
        load(tmp_path / "hollow")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("file,class\na.wav,b\n")
    with pytest.raises(DataError, match=r"must name path and label .*, not file, class"):
        load(wrong)
    with pytest.raises(DataError, match="one recording alone is no data set"):
        load(folder / "high" / "high_ann_0.wav")
