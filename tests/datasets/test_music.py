"""Music in files: MIDI and MusicXML that music21 wrote, ABC and JSON written by hand, and every mistake in them."""

import json

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
