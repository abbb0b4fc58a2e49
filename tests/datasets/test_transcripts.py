"""Recordings with their texts: layouts, parts of recordings, bad rows, splits, and how texts are written."""

import json

import numpy as np
import pytest
import soundfile

from rnnapps.datasets import DataError, TranscriptSource, load_splits, summary
from rnnapps.datasets.normalisation import Normalisation
from rnnapps.datasets.transcript_lists import list_transcripts
from rnnapps.errors import UserError

RATE = 8000


def recording(path, seconds=1.0, pitch=440.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(seconds * RATE)) / RATE
    soundfile.write(path, 0.3 * np.sin(2 * np.pi * pitch * time), RATE)


def load(path, split="all", **options):
    return load_splits(TranscriptSource(str(path), sample_rate=RATE, **options), [split])[split]


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("It’s  21 degrees, isn't it?", {}, "it's twenty one degrees isn't it"),
        ("1,250 men, 3.5 % more", {}, "one thousand two hundred and fifty men three point five percent more"),
        ("the 3rd of May", {}, "the third of may"),
        ("call 0049 now", {}, "call zero zero four nine now"),
        ("'quoted' words", {}, "quoted words"),
        ("Straße 12", {"language": "de"}, "straße zwölf"),
        ("1.000 Euro, 3,5 Prozent", {"language": "de"}, "eintausend euro drei komma fünf prozent"),
        ("12,000", {"language": "en_IN"}, "twelve thousand"),
        ("Well-known: 7!", {"digits": "keep", "case": "upper"}, "WELL KNOWN 7"),
        ("Well-known: 7!", {"digits": "keep", "case": "keep", "punctuation": "keep"}, "Well-known: 7!"),
    ],
)
def test_texts_are_written_alike(text, form, expected):
    assert Normalisation(**form)(text) == expected


@pytest.mark.parametrize(
    ("text", "form", "reason"),
    [
        ("", {}, "empty"),
        (" ... ", {}, "empty"),
        ("five €", {}, "'€' is outside"),
        ("seven", {"alphabet": "abcdef"}, "'n' is outside"),
        ("room 7", {"digits": "keep", "alphabet": "mor"}, "'7' is outside"),
        # What num2words raises there: TypeError, NotImplementedError, OverflowError and KeyError.
        ("12345", {"language": "am"}, "the number '12345' cannot be spelt in 'am'"),
        ("1001st", {"language": "cy"}, "the number '1001st' cannot be spelt in 'cy'"),
        ("1000000000007", {"language": "en_IN"}, "the number '1000000000007' cannot be spelt in 'en_IN'"),
        ("0th", {"language": "ko"}, "the number '0th' cannot be spelt in 'ko'"),
    ],
)
def test_what_cannot_be_written_is_refused(text, form, reason):
    with pytest.raises(ValueError, match=reason):
        Normalisation(**form)(text)


def test_a_language_that_cannot_be_spelt_is_named():
    with pytest.raises(UserError, match=r"--language xx: num2words spells numbers in am, ar, .* or take --digits keep"):
        Normalisation(language="xx")("room 7")
    assert Normalisation(language="xx")("no number") == "no number"


def test_a_manifest_names_files_parts_speakers_and_splits(tmp_path):
    recording(tmp_path / "a.wav")
    recording(tmp_path / "sub" / "b.flac", 2.0)
    table = "path,text,speaker,split,start,end\na.wav,One,ann,train,,\nsub/b.flac,Two,bob,dev,0.5,1.25\n"
    table += "sub/b.flac,Three,bob,test,1.25,\n"
    (tmp_path / "list.csv").write_text(table)
    splits = load_splits(TranscriptSource(str(tmp_path / "list.csv"), sample_rate=RATE))
    assert [splits[name].texts for name in ("train", "validation", "test")] == [[b"one"], [b"two"], [b"three"]]
    assert [len(splits[name].waveforms[0]) for name in ("train", "validation", "test")] == [RATE, 6000, 6000]
    assert splits["validation"].paths[0].endswith("b.flac 0.5-1.25")
    assert any("3 speakers" in line or "2 speakers" in line for line in summary(splits.values()))
    assert any(
        "speakers are few" in line and "--start-from spoken_phrases" in line for line in summary(splits.values())
    )


def test_json_lines_are_read_as_nemo_writes_them(tmp_path):
    recording(tmp_path / "a.wav", 2.0)
    rows = [
        {"audio_filepath": "a.wav", "text": "whole", "duration": 2.0},
        {"audio_filepath": "a.wav", "text": "part", "duration": 0.5, "offset": 1.0},
        {"audio_filepath": str(tmp_path / "a.wav"), "text": "absolute", "duration": 1.99},
    ]
    (tmp_path / "list.json").write_text("\n".join(map(json.dumps, rows)))
    found = load(tmp_path / "list.json")
    assert found.texts == [b"whole", b"part", b"absolute"]
    assert [len(waveform) for waveform in found.waveforms] == [2 * RATE, RATE // 2, 2 * RATE]
    whole, part = found.waveforms[0], found.waveforms[1]
    np.testing.assert_array_equal(part, whole[RATE : RATE + RATE // 2])


@pytest.mark.parametrize("first", [{}, {"offset": 0}, {"offset": 0.0}, {"offset": "0"}])
def test_a_segment_that_begins_with_its_recording_is_cut_at_its_duration(tmp_path, first):
    recording(tmp_path / "a.wav", 2.0)
    rows = [
        {"audio_filepath": "a.wav", "text": "begin", "duration": 0.75, **first},
        {"audio_filepath": "a.wav", "text": "end", "duration": 1.25, "offset": 0.75},
        {"audio_filepath": "a.wav", "text": "whole", "duration": 2, **first},
    ]
    (tmp_path / "list.json").write_text("\n".join(map(json.dumps, rows)))
    found = load(tmp_path / "list.json")
    assert [len(waveform) / RATE for waveform in found.waveforms] == [0.75, 1.25, 2.0]
    assert [path.rpartition("/")[2] for path in found.paths] == ["a.wav 0-0.75", "a.wav 0.75-2", "a.wav"]


def test_repeated_rows_are_named_and_other_texts_are_kept(tmp_path):
    recording(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text("path,text\na.wav,one\na.wav,one\na.wav,won\n")
    found = load(tmp_path / "list.csv")
    assert found.texts == [b"one", b"won"]
    assert found.rejected[0].reason.endswith("a.wav is already listed with this text in line 2")


def test_librispeech_folders_are_read_as_they_unpack(tmp_path):
    for folder, speaker in (("train-clean-100", "19"), ("dev-clean", "84"), ("test-clean", "61")):
        chapter = tmp_path / "LibriSpeech" / folder / speaker / "7"
        for number in range(2):
            recording(chapter / f"{speaker}-7-000{number}.flac")
        lines = [f"{speaker}-7-000{number} HELLO {folder[:3].upper()}" for number in range(2)]
        (chapter / f"{speaker}-7.trans.txt").write_text("\n".join(lines) + "\n")
    splits = load_splits(TranscriptSource(str(tmp_path), sample_rate=RATE))
    assert {name: split.texts for name, split in splits.items()} == {
        "train": [b"hello tra"] * 2,
        "validation": [b"hello dev"] * 2,
        "test": [b"hello tes"] * 2,
    }
    assert {utterance.speaker for utterance in list_transcripts(tmp_path).utterances} == {"19", "84", "61"}


def test_bad_rows_are_named_counted_and_skipped_or_stop(tmp_path):
    recording(tmp_path / "good.wav")
    recording(tmp_path / "short.wav", 0.01)
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "text.wav").write_text("no sound")
    rows = ["good.wav,fine", "gone.wav,missing", "good.wav,", "good.wav,£7", "short.wav,brief", "silent.wav,hush"]
    rows += ["text.wav,words", "good.wav,two,three"]
    (tmp_path / "list.csv").write_text("path,text\n" + "\n".join(rows) + "\n")
    found = load(tmp_path / "list.csv")
    assert found.texts == [b"fine"]
    reasons = {bad.line: bad.reason for bad in found.rejected}
    assert sorted(reasons) == [3, 4, 5, 6, 7, 8, 9]
    for line, part in {3: "cannot be read", 4: "empty", 5: "'£'", 6: "50 ms", 7: "is silent", 8: "format"}.items():
        assert part in reasons[line]
    lines = list(summary([found]))
    assert "skipped 7 bad files or rows:" in lines
    assert any(line.strip().startswith(f"{tmp_path}/list.csv:3: ") for line in lines)
    with pytest.raises(DataError, match=r"list\.csv:9: "):
        load(tmp_path / "list.csv", strict=True)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.wav,x,one,", "'start' must be a number"),
        ("a.wav,x,0.7,0.3", "'end' must be after"),
        ("a.wav,x,5,", "'start' is 5 s"),
        ("a.wav,x,0.5,5", "'end' is 5 s, but the file is 1.00 s long"),
        ("a.wav,x,nan,", "'start' must be a number"),
    ],
)
def test_wrong_times_are_named(tmp_path, row, reason):
    recording(tmp_path / "a.wav")
    (tmp_path / "list.csv").write_text(f"path,text,start,end\na.wav,good,,\n{row}\n")
    (bad,) = load(tmp_path / "list.csv").rejected
    assert reason in bad.reason and bad.line == 3


def test_speakers_stay_in_one_split_and_equal_texts_too(tmp_path):
    recording(tmp_path / "a.wav")
    rows = [f"a.wav,text {chr(97 + number % 26)}{chr(97 + number // 26)},s{number % 12}" for number in range(120)]
    (tmp_path / "list.csv").write_text("path,text,speaker\n" + "\n".join(rows) + "\n")
    splits = load_splits(TranscriptSource(str(tmp_path / "list.csv"), sample_rate=RATE))
    speakers = {row.split(",")[1].encode(): row.split(",")[2] for row in rows}
    of = {name: {speakers[text] for text in split.texts} for name, split in splits.items()}
    assert sum(map(len, of.values())) == 12 and all(of.values())
    (tmp_path / "plain.csv").write_text("path,text\n" + "\n".join(f"a.wav,word {chr(97 + n % 20)}" for n in range(100)))
    texts = [set(split.texts) for split in load_splits(TranscriptSource(str(tmp_path / "plain.csv"))).values()]
    assert not texts[0] & texts[1] and not texts[0] & texts[2] and not texts[1] & texts[2]


def test_a_folder_without_texts_says_what_is_expected(tmp_path):
    recording(tmp_path / "a.wav")
    with pytest.raises(DataError, match=r"neither a manifest such as train\.csv"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"a manifest of recordings ends in"):
        load(tmp_path / "a.wav")


def test_manifests_called_after_splits_are_read_from_a_folder(tmp_path):
    recording(tmp_path / "a.wav")
    for name in ("train_manifest", "dev_manifest", "test_manifest"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"audio_filepath": "a.wav", "text": name[:3]}) + "\n")
    splits = load_splits(TranscriptSource(str(tmp_path), sample_rate=RATE))
    assert [split.texts for split in splits.values()] == [[b"tra"], [b"dev"], [b"tes"]]
