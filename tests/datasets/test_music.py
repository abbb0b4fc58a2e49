"""Music in files: MIDI and MusicXML that music21 wrote, ABC and JSON written by hand, and every mistake in them."""

import json
import struct

import music21
import numpy as np
import pytest

from rnnapps.datasets import DataError, MusicSource, Piece, load_splits, summary
from rnnapps.datasets.music_files import read_file
from rnnapps.datasets.pieces import TICKS, bar_length

BOOK = """X:1
T:One
M:3/4
L:1/4
K:G
D | G2 A | B3- | B3 |]

X:2
T:Two
M:4/4
L:1/8
K:C
[CEG]4 z4 |]
"""


def load(path, **options):
    return load_splits(MusicSource(dataset=str(path), **options), ["all"])["all"]


def write_score(path, form):
    """Two voices in 3/4 after an upbeat: a tie over the bar line, a triplet and a rest."""
    parts = []
    for first in (60, 48):
        upbeat = music21.stream.Measure([music21.meter.TimeSignature("3/4"), music21.note.Note(first)], number=0)
        upbeat.paddingLeft = 2
        tied, rest_of_it = music21.note.Note(first + 4, quarterLength=3), music21.note.Note(first + 4)
        tied.tie, rest_of_it.tie = music21.tie.Tie("start"), music21.tie.Tie("stop")
        triplet = [music21.note.Note(first + 7, quarterLength=1 / 3) for _ in range(3)]
        bars = [music21.stream.Measure([tied], number=1)]
        bars.append(music21.stream.Measure([rest_of_it, *triplet, music21.note.Rest()], number=2))
        parts.append(music21.stream.Part([upbeat, *bars]))
    music21.stream.Score(parts).write(form, fp=str(path))
    return path


@pytest.mark.parametrize(("name", "form"), [("a.musicxml", "musicxml"), ("a.mxl", "mxl"), ("a.mid", "midi")])
def test_files_hold_the_notes_that_were_written(tmp_path, name, form):
    (piece,) = read_file(write_score(tmp_path / name, form))
    upper = [(0, 24, 60), (24, 96, 64), (120, 8, 67), (128, 8, 67), (136, 8, 67)]
    expected = sorted([*upper, *((onset, length, pitch - 12) for onset, length, pitch in upper)])
    np.testing.assert_array_equal(piece.notes, expected)
    assert piece.metre == "3/4"
    assert form == "midi" or piece.upbeat == TICKS  # MIDI does not say where bars begin
    assert piece.steps(24)[:3] == [(48, 60), (52, 64), (52, 64)]
    assert len(piece.steps(12)) == 12 and piece.steps(12)[-1] == (55, 67)


def number_of(value: int) -> bytes:
    """A number as MIDI writes it: seven bits a byte, the last byte without the highest bit."""
    parts = [value & 127]
    while value := value >> 7:
        parts.insert(0, value & 127 | 128)
    return bytes(parts)


def write_midi(path, tracks, resolution=480, metre=(3, 4)):
    """A MIDI file byte by byte. A note is onset and end in quarter notes, pitch and channel (from 0)."""
    content = b"MThd" + struct.pack(">IHHH", 6, 1, len(tracks), resolution)
    for notes in tracks:
        events = [(round(onset * resolution), 1, pitch, channel) for onset, _, pitch, channel in notes]
        events += [(round(end * resolution), 0, pitch, channel) for _, end, pitch, channel in notes]
        track = b"\0\xff\x58\4" + bytes([metre[0], metre[1].bit_length() - 1, 24, 8]) if metre else b""
        now = 0
        for place, (time, struck, pitch, channel) in enumerate(sorted(events)):
            kind = 0x90 if struck or place % 2 else 0x80  # struck at volume 0 is a release, too
            track += number_of(time - now) + bytes([kind | channel, pitch, 80 * struck])
            now = time
        track += b"\0\xff\x2f\0"
        content += b"MTrk" + struct.pack(">I", len(track)) + track
    path.write_bytes(content)
    return path


def test_a_chord_held_over_a_bar_line_under_another_voice_shifts_nothing(tmp_path):
    held = [(0, 6, 48, 0), (0, 6, 52, 0), *((beat, beat + 1, 60 + beat, 0) for beat in range(6))]
    (piece,) = read_file(write_midi(tmp_path / "a.mid", [held]))
    assert piece.metre == "3/4" and piece.steps(TICKS) == [(48, 52, 60 + beat) for beat in range(6)]


@pytest.mark.parametrize("seed", range(5))
def test_midi_holds_the_notes_of_any_voices(tmp_path, seed):
    random = np.random.default_rng(seed)
    tracks = []
    for channel in range(3):
        notes = []
        for pitch in random.permutation(np.arange(21, 109))[:6]:  # of one pitch, a note ends before the next begins
            times = np.sort(random.choice(24 * 30, size=8, replace=False)).reshape(-1, 2) / TICKS
            notes += [(*pair, int(pitch), channel) for pair in times.tolist()]
        tracks.append(notes)
    drums, too_high = [(0, 4, 40, 9)], [(0, 4, 120, 0)]
    (piece,) = read_file(write_midi(tmp_path / "a.midi", [*tracks, drums, too_high], metre=None))
    expected = sorted(
        (round(on * TICKS), round((end - on) * TICKS), pitch) for notes in tracks for on, end, pitch, _ in notes
    )
    np.testing.assert_array_equal(piece.notes, expected)
    assert piece.metre == "4/4"


def test_what_was_played_is_moved_to_fourths_and_thirds_of_a_quarter(tmp_path):
    exact = [(0, 1, 60), (1, 1 + 1 / 3, 62), (4 / 3, 5 / 3, 64), (2, 2.25, 65), (2.25, 2.5, 67), (3, 7, 69)]
    late = np.random.default_rng(0).uniform(0.01, 0.03, (len(exact), 2))
    played = [(on + a, end + b, pitch, 0) for (on, end, pitch), (a, b) in zip(exact, late, strict=True)]
    (piece,) = read_file(write_midi(tmp_path / "a.mid", [played]))
    expected = [[round(on * TICKS), round((end - on) * TICKS), pitch] for on, end, pitch in exact]
    assert piece.notes.tolist() == expected


def test_an_additive_metre_is_that_of_its_sum(tmp_path):
    bar = music21.stream.Measure([music21.meter.TimeSignature("3/8+2/8"), *(music21.note.Note(60) for _ in range(2))])
    music21.stream.Score([music21.stream.Part([bar])]).write("musicxml", fp=str(tmp_path / "a.musicxml"))
    (piece,) = read_file(tmp_path / "a.musicxml")
    assert piece.metre == "5/8" and bar_length(piece.metre) == 60


def test_a_tune_book_holds_several_pieces(tmp_path):
    (tmp_path / "book.abc").write_text(BOOK)
    one, two = read_file(tmp_path / "book.abc")
    assert (one.name, one.metre, one.upbeat, two.metre) == ("book.abc 1", "3/4", 24, "4/4")
    assert one.notes.tolist() == [[0, 24, 62], [24, 48, 67], [72, 24, 69], [96, 144, 71]]
    assert two.steps(24) == [(60, 64, 67)] * 2


def test_folders_and_lists_name_their_splits_and_others_are_held_out(tmp_path):
    for split, count in (("train", 3), ("valid", 1), ("test", 2)):
        (tmp_path / "named" / split).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "named" / split / f"{number}.abc").write_text(f"X:1\nM:4/4\nL:1/4\nK:C\n{'CDE'[number]}4|]\n")
    splits = load_splits(MusicSource(str(tmp_path / "named")))
    assert {name: len(split) for name, split in splits.items()} == {"train": 3, "validation": 1, "test": 2}
    assert "train 3, validation 1, test 2 pieces" in next(summary(splits.values()))
    steps = [[[60, 64], [], [62]], [[60]]]
    (tmp_path / "lists.json").write_text(json.dumps({"train": steps * 10}))
    splits = load_splits(MusicSource(str(tmp_path / "lists.json"), seed=1))
    assert [len(split) for split in splits.values()] == [16, 2, 2]
    whole = load(tmp_path / "lists.json")
    assert len(whole) == 20 and whole.steps()[0] == [(60, 64), (), (62,)] and whole.pieces[0].metre == ""


def test_bad_files_are_named_and_skipped_or_stop_the_run(tmp_path):
    (tmp_path / "good.abc").write_text(BOOK)
    (tmp_path / "bad.mid").write_bytes(b"MThd\x00\x00")
    (tmp_path / "silent.abc").write_text("X:1\nM:4/4\nL:1/4\nK:C\nz4|]\n")
    found = load(tmp_path)
    assert len(found) == 2 and {bad.path.name for bad in found.rejected} == {"bad.mid", "silent.abc"}
    assert any("silent.abc: contains no notes" in line for line in summary([found]))
    with pytest.raises(DataError, match=r"bad\.mid: music21 cannot read it"):
        load(tmp_path, strict=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no music files \(\.mid"):
        load(tmp_path / "empty")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "not JSON"),
        ("[1]", "must be an object of splits"),
        ('{"trian": []}', "got 'trian'"),
        ('{"train": [[60]]}', "piece 1 of 'train': must be a list of time steps"),
        ('{"train": [[[60, 200]]]}', "from 21 to 108, got 200"),
    ],
)
def test_mistakes_in_lists_are_one_line(tmp_path, content, complaint):
    (tmp_path / "lists.json").write_text(content)
    with pytest.raises(DataError, match=r"lists\.json") as error:
        load(tmp_path / "lists.json")
    assert complaint in str(error.value)


def test_bars_have_a_length():
    assert [bar_length(metre) for metre in ("4/4", "3/8", "2/2", "")] == [96, 36, 96, 0]
    assert Piece("", np.zeros((0, 3), np.int32)).steps(24) == []
