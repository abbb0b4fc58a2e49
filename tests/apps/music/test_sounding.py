"""The sound of tunes: its pitches by Fourier transform, and FluidSynth, of which a stand-in is put on PATH."""

import json
import os
import sys

import numpy as np
import pytest
import soundfile

from rnnapps.apps.music.requests import check_soundfont
from rnnapps.apps.music.sounding import RATE, synthesised, write_wav
from rnnapps.errors import UserError

NOTES = [(0, 24, 69), (24, 24, 60), (24, 24, 76), (72, 12, 48)]


def frequencies(sound, begin, end, count):
    """The lowest frequencies, in Hz, that stand out of a part of a sound, given in seconds."""
    part = sound[int(begin * RATE) : int(end * RATE)]
    spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part)), 2**17))
    peaks = np.flatnonzero((spectrum[1:-1] > spectrum[:-2]) & (spectrum[1:-1] > spectrum[2:])) + 1
    return (peaks[spectrum[peaks] > 0.2 * spectrum.max()] * RATE / 2**17)[:count].tolist()


def test_each_note_sounds_at_its_pitch_in_its_time():
    sound = synthesised(NOTES, 60.0)
    assert len(sound) == int(4.5 * RATE) + 1 and np.abs(sound).max() == pytest.approx(0.9)
    assert frequencies(sound, 0.1, 0.9, 1) == pytest.approx([440.0], rel=2e-3)
    assert frequencies(sound, 1.2, 1.9, 1) == pytest.approx([261.63], rel=2e-3)
    assert min(abs(f - 659.26) for f in frequencies(sound, 1.2, 1.9, 3)) < 2
    assert np.abs(sound[int(2.2 * RATE) : int(2.9 * RATE)]).max() == 0
    assert frequencies(sound, 3.05, 3.45, 1) == pytest.approx([130.81], rel=1e-2)


@pytest.fixture
def soundfont(tmp_path):
    path = tmp_path / "piano.sf2"
    path.write_bytes(b"RIFF\x10\x00\x00\x00sfbkLIST")
    return path


def stand_in(folder, code):
    """A program called fluidsynth that runs some Python."""
    program = folder / "fluidsynth"
    program.write_text(f"#!{sys.executable}\nimport sys\narguments = sys.argv[1:]\n{code}\n")
    program.chmod(0o755)
    return str(folder)


def test_fluidsynth_plays_the_tune_as_midi_with_the_soundfont(tmp_path, soundfont, monkeypatch):
    code = "import json, numpy, soundfile\n"
    code += "soundfile.write(arguments[arguments.index('-F') + 1], numpy.full((441, 2), 0.01), 44100, format='WAV')\n"
    code += f"asked = open({str(tmp_path / 'asked')!r}, 'w')\n"
    code += "json.dump([arguments[-2], open(arguments[-1], 'rb').read(4).decode()], asked)"
    monkeypatch.setenv("PATH", stand_in(tmp_path, code) + os.pathsep + os.environ["PATH"])
    write_wav(NOTES, "4/4", 60.0, tmp_path / "tune.wav", soundfont)
    assert json.loads((tmp_path / "asked").read_text()) == [str(soundfont), "MThd"]
    samples, rate = soundfile.read(tmp_path / "tune.wav")
    assert rate == RATE and samples.shape == (441, 2)
    np.testing.assert_allclose(samples, 0.9, atol=1e-3)  # one voice alone is quiet


def test_what_keeps_fluidsynth_from_playing_is_one_line(tmp_path, soundfont, monkeypatch):
    code = "print('no sound card', file=sys.stderr); sys.exit(1)"
    monkeypatch.setenv("PATH", stand_in(tmp_path, code) + os.pathsep + os.environ["PATH"])
    with pytest.raises(UserError, match=r"fluidsynth cannot play .*piano\.sf2: no sound card"):
        write_wav(NOTES, "4/4", 60.0, tmp_path / "tune.wav", soundfont)
    assert not (tmp_path / "tune.wav").exists()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="needs the program fluidsynth"):
        write_wav(NOTES, "4/4", 60.0, tmp_path / "tune.wav", soundfont)
    soundfont.write_bytes(b"not a soundfont")
    with pytest.raises(UserError, match="not a soundfont"):
        check_soundfont(soundfont)
    with pytest.raises(UserError, match="cannot be read"):
        check_soundfont(tmp_path / "typo.sf2")


def test_without_a_soundfont_the_wav_is_the_synthesiser_of_this_project(tmp_path):
    write_wav(NOTES, "4/4", 60.0, tmp_path / "tune.wav")
    samples, rate = soundfile.read(tmp_path / "tune.wav")
    assert rate == RATE
    np.testing.assert_allclose(samples, synthesised(NOTES, 60.0), atol=1e-4)
