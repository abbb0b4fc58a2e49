"""Keys beside music21's own analysis."""

import music21
import numpy as np
import pytest

from rnnapps.apps.music.keys import NAMES, key_name, key_of, parsed_key, share_in_key, transposed_key
from rnnapps.apps.music.notation import write_midi
from rnnapps.datasets.embedded.chorales import chorale_files
from rnnapps.datasets.music_files import read_file
from rnnapps.errors import UserError


def test_the_key_of_a_piece_is_that_of_music21():
    random = np.random.default_rng(0)
    for _ in range(8):
        pitches = random.choice(random.permutation(np.arange(48, 80))[:7], 60)
        stream = music21.stream.Stream()
        for pitch in pitches.tolist():
            stream.append(music21.note.Note(pitch))
        # The profiles of Krumhansl, Kessler and Schmuckler, and not music21's own default.
        found = music21.analysis.discrete.KrumhanslSchmuckler(stream).getSolution(stream)
        number = found.tonic.pitchClass + 12 * (found.mode == "minor")
        assert key_of(pitches.tolist()) == number


def test_keys_are_transposed_and_named():
    assert key_name(transposed_key(0, 7)) == "G major" and key_name(transposed_key(12 + 9, -2)) == "G minor"
    assert share_in_key([55, 57, 59, 60, 62, 64, 66], 7) == 1 and share_in_key([], 7) == 0
    assert key_of([]) is None
    assert parsed_key("bb minor") == "Bb minor"
    for wrong in ("H major", "C dorian", "", "C major 7"):
        with pytest.raises(UserError, match="--key must be like"):
            parsed_key(wrong)


def test_a_chorale_of_the_embedded_set_has_the_notes_and_the_key_of_the_score():
    """BWV 66.6, the example of music21's documentation, which finds F# minor."""
    files = {file.stem: file for file in chorale_files()}
    assert len(files) > 350 and "bwv248.23-s" not in files
    (piece,) = read_file(files["bwv66.6"])
    assert (piece.metre, piece.upbeat, piece.end) == ("4/4", 24, 36 * 24)
    steps = piece.steps(24)
    assert steps[:3] == [(57, 64, 73), (54, 61, 66, 69), (56, 59, 64, 71)]
    assert key_name(key_of(pitch for pitches in steps for pitch in pitches)) == "F# minor"


@pytest.mark.parametrize("key", [None, *NAMES])
def test_a_midi_file_may_have_any_key(tmp_path, key):
    notes = [(0, 24, 60), (24, 24, 62)]
    write_midi(notes, "4/4", key, 90, tmp_path / "tune.mid")
    assert read_file(tmp_path / "tune.mid")[0].notes.tolist() == [list(note) for note in notes]
