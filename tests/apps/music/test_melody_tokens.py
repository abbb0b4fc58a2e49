"""Melodies as tokens and back, beside music21's readings of the same files."""

import music21
import numpy as np
import pytest

from rnnapps.apps.music.melody_tokens import melody_of, notes_of, parsed, text_of, tokens_of, top_voice
from rnnapps.apps.music.notation import melody_in_abc
from rnnapps.datasets import Piece
from rnnapps.datasets.embedded.chorales import chorale_files
from rnnapps.datasets.music_files import piece_of, read_file, read_scores

BOOK = """X:1
T:Upbeat, triplets, ties and dotted notes
M:3/4
L:1/8
K:Gm
D | G>A (3BAG ^F2- | ^F2 z/d/ g3 | (3:2:2c2B A4- | A5 |

X:2
T:In six-eight
M:6/8
L:1/8
K:D
"D" fed BAF | [DF]ED d3 |
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    path = tmp_path_factory.mktemp("tunes") / "book.abc"
    path.write_text(BOOK)
    return path


def test_the_tunes_of_a_book_become_tokens_in_whole_bars(book):
    first, second = read_file(book)
    assert (first.metre, second.metre) == ("3/4", "6/8")
    assert text_of(melody_of(first)) == (
        "z 2 z 1/2 D 1/2 | G 3/4 A 1/4 ^A 1/3 A 1/3 G 1/3 ^F 1 | - 1 z 1/4 d 1/4 g 3/2 |"
        " c 2/3 ^A 1/3 A 2 | - 2 - 1/2 z 1/2 |"
    )
    assert text_of(melody_of(second)) == "^f 1/2 e 1/2 d 1/2 B 1/2 A 1/2 ^F 1/2 | ^F 1/2 E 1/2 D 1/2 d 3/2 |"


@pytest.mark.parametrize("key", ["G minor", "F# major", None])
def test_a_melody_written_in_abc_is_read_as_the_same_notes(book, tmp_path, key):
    tokens = melody_of(read_file(book)[0]) + parsed("C 1/2 ^C 1/2 C 1/2 c 1/2 ^c 1/6 - 1/6 z 1/6 ^F 1/2 |")
    (tmp_path / "tune.abc").write_text(melody_in_abc(tokens, "3/4", key, 90))
    (piece,) = read_file(tmp_path / "tune.abc")
    notes, bars = notes_of(tokens)
    upbeat = notes[0][0]
    assert piece.notes.tolist() == [[onset - upbeat, length, pitch] for onset, length, pitch in notes]
    assert set(bars) == {72} and (piece.metre, piece.upbeat) == ("3/4", 12)


def test_any_notes_become_tokens_and_back_and_their_bars_add_up():
    random = np.random.default_rng(0)
    for bar in (24, 72, 84, 96):
        onsets = np.cumsum(random.integers(1, 150, 60))
        lengths = np.minimum(random.integers(1, 150, 60), np.diff(onsets, append=onsets[-1] + 50))
        notes = [
            (int(t), int(n), int(p)) for t, n, p in zip(onsets, lengths, random.integers(21, 109, 60), strict=True)
        ]
        tokens = parsed(text_of(tokens_of(notes, bar)))
        assert notes_of(tokens)[0] == notes and set(notes_of(tokens)[1]) == {bar}


def test_the_top_voice_of_a_chorale_is_its_soprano_but_where_voices_cross():
    (file,) = (file for file in chorale_files() if file.stem == "bwv66.6")
    (score,) = read_scores(file)
    soprano = piece_of(music21.stream.Score([score.parts[0]]), "soprano").notes
    found = top_voice(piece_of(score, "all").notes)
    same = set(found) & set(map(tuple, soprano.tolist()))
    assert (len(soprano), len(found), len(same)) == (36, 37, 35)  # the alto is above it once


def test_a_piece_without_a_metre_has_bars_of_four_quarters_and_silence_before_it_is_left_out():
    piece = Piece("", np.array([[24 * t, 24, 60 + t] for t in range(9, 15)], np.int32))
    assert text_of(melody_of(piece)) == "z 1 A 1 ^A 1 B 1 | c 1 ^c 1 d 1 z 1 |"
    assert melody_of(Piece("silent", np.zeros((0, 3), np.int32))) == []
