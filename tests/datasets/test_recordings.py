"""Recordings of one's own: layouts, splits, bad files."""

import numpy as np
import pytest
import soundfile

from rnnapps.datasets import DataError, RecordingSource, load_splits, summary
from tests.audio.recordings import RATE, tone
from tests.datasets.door import recordings

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
    return recordings(path, split, sample_rate=RATE, **kwargs)


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
    assert "data.csv:39: empty 'path'" in reasons[1]
    assert "data.csv:41: ./low/low_ann_0.wav is already listed in line" in reasons[2]
    assert "nowhere.wav: cannot be read: No such file" in reasons[3]


BAD = {
    "empty.wav": (b"", "the file is empty"),
    "text.wav": (b"no sound\n" * 99, "not a recording in a known format"),
    "one.wav": (np.array([0.5]), "needs at least 50 ms, got 0.125 ms"),
    "silent.wav": (np.zeros(RATE), "the recording is silent"),
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
        ({"split_by": "[", "split": "train"}, "must be a regular expression"),
        ({"split_by": "xyz", "split": "train"}, "--split-by 'xyz' does not match 'high/high_ann_0.wav'"),
        ({"split_by": "wav", "split": "train"}, "1 groups .* cannot be divided into train, test and validation"),
        ({"test_files": "xyz", "split": "test"}, "--test-files 'xyz' matches no path"),
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
    with pytest.raises(DataError, match=r"no recordings .expected one folder of recordings per class"):
        load(tmp_path / "hollow")
    with pytest.raises(DataError, match="has the class 'low'"):
        (tmp_path / "hollow" / "low").mkdir()
        (folder / "low" / "low_ann_0.wav").rename(tmp_path / "hollow" / "low" / "a.wav")
        load(tmp_path / "hollow")
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("file,class\na.wav,b\n")
    with pytest.raises(DataError, match=r"there is no column 'path'; the columns are 'file', 'class'"):
        load(wrong)
    with pytest.raises(DataError, match="a single recording is not a data set"):
        load(folder / "high" / "high_ann_0.wav")


def lines(path, splits=None, **options):
    source = RecordingSource(dataset=str(path), sample_rate=RATE, **options)
    return list(summary(load_splits(source, splits).values()))


def test_speakers_in_file_names_stay_whole_and_the_summary_says_so(folder):
    splits = load_splits(RecordingSource(dataset=str(folder), sample_rate=RATE))
    heard = [speakers(split) for split in splits.values()]
    assert sum(map(len, heard)) == len(set.union(*heard)) == len(SPEAKERS)
    told = lines(folder)
    assert told[0].startswith(f"{folder}: train 24 (") and told[0].endswith("; classes high (8), low (8), rising (8)")
    assert told[1].startswith("6 speakers by the file names ('ann' in 'high/high_ann_0.wav'); all recordings of a")
    assert told[2].startswith("6 speakers are few") and "--start-from spoken_vocabulary" in told[2]
    assert len(told) == 3
    assert not any("--start-from" in line for line in lines(folder, ["test"]))


def test_recordings_without_speakers_are_divided_by_class_and_the_summary_says_so(folder):
    for number, file in enumerate(sorted(folder.rglob("*.wav"))):
        file.rename(file.with_name(f"{number}.wav"))
    splits = load_splits(RecordingSource(dataset=str(folder), sample_rate=RATE))
    assert [np.bincount(split.labels).tolist() for split in splits.values()] == [[10, 10, 10], [1, 1, 1], [1, 1, 1]]
    assert lines(folder)[1].startswith("speakers are not recognised in the file names")


def test_two_speakers_are_too_few_to_hold_any_out(folder):
    for file in folder.rglob("*.wav"):
        if file.stem.split("_")[1] not in ("ann", "bob"):
            file.unlink()
    told = lines(folder)
    assert told[1] == "2 speakers by the file names ('ann' in 'high/high_ann_0.wav')"
    assert "are in several splits" in told[2] or "more are in several splits" in told[2]
    assert "too few to hold any out" in told[2]


def test_a_split_column_that_tears_a_speaker_apart_is_warned_of(folder):
    rows = [
        (file.relative_to(folder), file.parent.name, file.stem.split("_")) for file in sorted(folder.rglob("*.wav"))
    ]
    header = "path,label,split,speaker\n"
    for where, expected in (("n", " and 5 more are in several splits; figures will look better"), ("s", None)):
        table = [
            f"{path},{label},{('test' if (n == '1' if where == 'n' else speaker == 'eva') else 'train')},{speaker}"
            for path, label, (_, speaker, n) in rows
        ]
        (manifest := folder / f"{where}.csv").write_text(header + "\n".join(table) + "\n")
        told = [line for line in lines(manifest) if line.startswith("warning")]
        assert told == [] if expected is None else expected in told[0]
        assert lines(manifest)[1].startswith("6 speakers by the column 'speaker'")


def test_files_that_are_no_recordings_are_ignored(folder):
    (folder / "low" / "notes.txt").write_text("not a recording")
    (folder / "low" / "README").write_text("not a recording")
    (folder / "high" / "clip.m4a").write_bytes(b"x")
    found = load(folder, strict=True)
    assert len(found) == 36 and not found.rejected
    assert "ignored 3 files that are not recordings (.m4a, .txt, no suffix)" in lines(folder)


def test_one_class_says_what_was_rejected(folder):
    for kind in ("high", "rising"):
        for file in (folder / kind).iterdir():
            file.write_bytes(b"")
    with pytest.raises(
        DataError, match=r"the class 'low'; a classifier needs two \(\d+ files or rows were rejected, the"
    ):
        load(folder, "train")


@pytest.fixture
def archive(tmp_path):
    """Recordings in the layout of the archive of Speech Commands, as it unpacks."""
    random = np.random.default_rng(0)
    files = [
        f"{word}/{speaker:08x}_nohash_{n}.wav" for word in ("yes", "no") for speaker in range(1, 9) for n in (0, 1)
    ]
    for name in [*files, "_background_noise_/pink.wav", "_background_noise_/tap.wav"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, tone("high", random), RATE)
    (tmp_path / "_background_noise_" / "README.md").write_text("noise")
    (tmp_path / "README.md").write_text("Speech Commands")
    for name, speaker in (("validation", 3), ("testing", 5)):
        listed = [file for file in files if f"{speaker:08x}" in file]
        (tmp_path / f"{name}_list.txt").write_text("\n".join([*listed, "yes/gone_nohash_0.wav"]) + "\n")
    return tmp_path


def test_the_archive_of_speech_commands_is_read_as_it_unpacks(archive):
    splits = load_splits(RecordingSource(dataset=str(archive), sample_rate=RATE))
    assert {name: len(split) for name, split in splits.items()} == {"train": 24, "validation": 4, "test": 4}
    assert splits["train"].classes == ("no", "yes")
    for name, speaker in (("validation", 3), ("test", 5)):
        assert {path.rsplit("/", 1)[1][:8] for path in splits[name].paths} == {f"{speaker:08x}"}
    assert [len(split.noise) for split in splits.values()] == [2, 0, 0]
    assert splits["train"].noise[0].dtype == np.int16
    told = lines(archive)
    assert "validation_list.txt: 1 of 5 recordings are missing" in told
    assert any(line.startswith("8 speakers by the file names") for line in told)
    assert not any(line.startswith("warning") for line in told)
    assert len(load(archive)) == 32


def test_the_split_that_no_list_names_is_held_out(archive):
    (archive / "validation_list.txt").unlink()
    splits = load_splits(RecordingSource(dataset=str(archive), sample_rate=RATE))
    assert {name: len(split) for name, split in splits.items()} == {"train": 24, "validation": 4, "test": 4}
    assert {path.rsplit("/", 1)[1][:8] for path in splits["test"].paths} == {f"{5:08x}"}
