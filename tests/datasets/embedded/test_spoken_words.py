"""The embedded data: what eSpeak NG says, and how it is divided."""

import io
import tarfile

import librosa
import numpy as np
import pytest
import soundfile
import tensorflow_datasets as tfds

from rnnapps.datasets import DataError
from rnnapps.datasets.embedded.espeak import Manner, say
from rnnapps.datasets.embedded.spoken_words import (
    CLASSES,
    SAMPLE_RATE,
    VOICES,
    WORDS,
    SpokenVocabulary,
    SpokenWords,
    clip,
)
from tests.datasets.door import recordings

FEW = {"train": ("f1", "m1"), "validation": ("f5",), "test": ("f3",)}


def test_words_sound_like_words():
    for word in (*WORDS, "umbrella"):
        samples, rate = say(word, Manner("en-us+f2"))
        assert samples.dtype == np.int16
        assert 0.15 < len(samples) / rate < 0.8
        assert np.abs(samples).max() > 3000
    assert len(say("umbrella", Manner("en-us"))[0]) > 1.3 * len(say("up", Manner("en-us"))[0])


def test_manner_changes_what_is_heard():
    def pitch(samples):
        return np.median(librosa.yin(samples / 2**15, fmin=50, fmax=400, sr=rate))

    samples, rate = say("no", Manner("en-us+m1"))
    faster, _ = say("no", Manner("en-us+m1", words_per_minute=300))
    higher, _ = say("no", Manner("en-us+m1", pitch=90, pitch_range=0))
    lower, _ = say("no", Manner("en-us+m1", pitch=10, pitch_range=0))
    assert len(faster) < 0.8 * len(samples)
    assert pitch(higher) > 1.3 * pitch(lower)
    assert not np.array_equal(say("right", Manner("en-us+m1"))[0], say("right", Manner("en-gb-scotland+m1"))[0])


def test_an_unknown_voice_is_named():
    with pytest.raises(DataError, match="no voice 'xx'"):
        say("no", Manner("xx"))


def test_the_set_is_as_large_as_it_says_and_no_voice_is_in_two_splits():
    voices = [voice for split in VOICES.values() for voice in split]
    assert len(voices) == len(set(voices)) >= 60
    for builder, sizes in ((SpokenWords, [11_136, 960, 1_152]), (SpokenVocabulary, [13_920, 1_200, 1_920])):
        counts = [len(VOICES[split]) * builder.CLIPS_PER_VOICE[split] * len(builder.LABELS) for split in VOICES]
        assert counts == sizes
        assert sum(counts) >= 12_000


@pytest.mark.parametrize("voice", [voices[0] for voices in VOICES.values()])
def test_clips_vary_and_are_not_silent(voice):
    random = np.random.default_rng(0)
    found = [clip(label, voice, random) for label in CLASSES for _ in range(2)]
    assert all(samples.dtype == np.int16 for samples in found)
    assert all(0.15 * SAMPLE_RATE < len(samples) < 1.6 * SAMPLE_RATE for samples in found)
    assert all(np.ptp(samples.astype(float)) > 2 for samples in found)
    assert len({len(samples) for samples in found}) > 20


def test_the_same_seed_gives_nearly_the_same_clips():
    one, two = (clip("stop", "f1", np.random.default_rng(3)) for _ in range(2))
    assert len(one) == pytest.approx(len(two), rel=0.03)
    assert one.std() == pytest.approx(two.std(), rel=0.05)


def test_the_builder_keeps_audio_label_and_speaker(tmp_path, monkeypatch):
    monkeypatch.setattr("rnnapps.datasets.embedded.spoken_words.VOICES", FEW)
    monkeypatch.setattr(SpokenWords, "CLIPS_PER_VOICE", dict.fromkeys(FEW, 1))
    train = recordings("spoken_words", "train", sample_rate=SAMPLE_RATE, data_dir=tmp_path)
    assert train.classes == CLASSES
    assert np.bincount(train.labels).tolist() == [2] * len(CLASSES)
    assert train.waveforms[0].dtype == np.int16
    assert {example["speaker"] for example in _raw(tmp_path, "test")} == {b"f3"}
    lower = recordings("spoken_words", "train", sample_rate=8000, data_dir=tmp_path)
    for half, full in zip(lower.waveforms, train.waveforms, strict=True):
        assert abs(len(half) - len(full) / 2) <= 1


def test_speech_commands_of_tfds_goes_through_the_same_door(tmp_path, monkeypatch):
    """TFDS's own builder, given archives in the form of the real ones instead of a download."""
    pytest.importorskip("pydub")
    random = np.random.default_rng(0)

    def recording(samples):
        file = io.BytesIO()
        soundfile.write(file, random.integers(-9999, 9999, samples).astype(np.int16), SAMPLE_RATE, format="WAV")
        return file.getvalue()

    def archive(name, files):
        with tarfile.open(tmp_path / name, "w:gz") as tar:
            for path, content in files.items():
                info = tarfile.TarInfo(path)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return tmp_path / name

    words = {f"{word}/{n}.wav": recording(SAMPLE_RATE) for word in ("yes", "bed") for n in range(4)}
    noise = {f"_background_noise_/{name}.wav": recording(2 * SAMPLE_RATE) for name in ("pink", "running_tap")}
    lists = {"testing_list.txt": b"yes/0.wav\nbed/0.wav\n", "validation_list.txt": b"yes/1.wav\nbed/1.wav\n"}
    main = archive("main.tar.gz", {**lists, **words, **noise})
    test = archive("test.tar.gz", {"yes/0.wav": words["yes/0.wav"], "_silence_/0.wav": recording(SAMPLE_RATE)})
    monkeypatch.setattr(tfds.download.DownloadManager, "download", lambda self, urls: [main, test])
    found = {
        split: recordings("speech_commands", split, sample_rate=8000, data_dir=tmp_path / "tfds")
        for split in ("train", "validation", "test")
    }
    heard = {split: sorted(clips.classes[label] for label in clips.labels) for split, clips in found.items()}
    assert heard["train"] == ["_silence_"] * 2 + ["_unknown_"] * 2 + ["yes"] * 2
    assert heard["validation"] == ["_silence_"] * 2 + ["_unknown_", "yes"]
    assert heard["test"] == ["_silence_", "yes"]
    assert {len(waveform) for clips in found.values() for waveform in clips.waveforms} == {8000}


def test_names_that_are_no_audio_are_named(tmp_path):
    with pytest.raises(DataError, match="Did you mean speech_commands"):
        recordings("speach_commands", "train", sample_rate=8000, data_dir=tmp_path)
    with pytest.raises(DataError, match="a split must be one of train, validation, test, got 'all'"):
        recordings("spoken_words", "all", sample_rate=8000, data_dir=tmp_path)


def _raw(folder, split):
    return SpokenWords(data_dir=folder).as_dataset(split=split).as_numpy_iterator()
