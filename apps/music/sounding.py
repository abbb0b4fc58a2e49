"""The sound of a tune, from a small additive synthesiser or from FluidSynth with a soundfont."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rnnapps.apps.music.notation import write_midi
from rnnapps.datasets.pieces import TICKS, Note
from rnnapps.errors import UserError
from rnnapps.files import replacing

RATE = 44_100  # Hz
_PARTIALS = 8
_ATTACK, _RELEASE = 0.02, 0.12  # seconds
_PEAK = 0.9


def synthesised(notes: Sequence[Note], tempo: float) -> np.ndarray:
    """The sound of a tune: a sum of decaying harmonics for each note; higher ones decay faster.

    Args:
        notes: Onset, length and pitch of each, in ticks.
        tempo: Quarter notes per minute.

    Returns:
        Float32 `(samples,)` at 44.1 kHz, between -1 and 1; a second longer than the tune.
    """
    seconds = 60 / tempo / TICKS
    end = max((begin + length for begin, length, _ in notes), default=0)
    sound = np.zeros(int((end * seconds + 1) * RATE) + 1, np.float32)
    for begin, length, pitch in notes:
        frequency = 440 * 2 ** ((pitch - 69) / 12)
        time = np.arange(int((length * seconds + _RELEASE) * RATE)) / RATE
        tone = np.zeros(len(time))
        for partial in range(1, _PARTIALS + 1):
            if partial * frequency < RATE / 2:
                fading = np.exp(-time * (0.5 + 0.3 * partial))
                tone += np.sin(2 * np.pi * partial * frequency * time) * fading / partial**1.5
        envelope = np.minimum(time / _ATTACK, 1) * np.clip((length * seconds + _RELEASE - time) / _RELEASE, 0, 1)
        first = int(begin * seconds * RATE)
        sound[first : first + len(tone)] += (tone * envelope).astype(np.float32)
    return sound * (_PEAK / max(float(np.abs(sound).max()), 1e-9))


def write_wav(notes: Sequence[Note], metre: str, tempo: float, path: Path, soundfont: Path | None = None) -> None:
    """Writes the sound of a tune as a WAV file.

    Args:
        notes: Onset, length and pitch of each, in ticks.
        metre: Time signature.
        tempo: Quarter notes per minute.
        path: The file to write.
        soundfont: The soundfont for FluidSynth; None for the synthesiser of this module.

    Raises:
        UserError: FluidSynth is not installed or fails.
    """
    import soundfile

    sound = synthesised(notes, tempo) if soundfont is None else _played(notes, metre, tempo, soundfont)
    with replacing(path) as partial:
        soundfile.write(partial, sound, RATE, format="WAV", subtype="PCM_16")


def _played(notes: Sequence[Note], metre: str, tempo: float, soundfont: Path) -> np.ndarray:
    """The sound of FluidSynth, float32 `(samples, 2)`; with a fixed peak, since a single voice would be quiet."""
    import soundfile

    program = shutil.which("fluidsynth")
    if program is None:
        raise UserError("--soundfont needs the program fluidsynth on PATH; install it, or leave the option out")
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "tune.mid"), Path(folder, "tune.wav")
        write_midi(notes, metre, None, tempo, midi)
        options = ["-n", "-i", "-q", "-r", str(RATE), "-T", "wav", "-F", str(wav)]
        command = [program, *options, str(soundfont), str(midi)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode or not wav.is_file():
            reason = (ended.stderr.strip() or f"exit status {ended.returncode}").splitlines()[-1]
            raise UserError(f"fluidsynth cannot play {soundfont}: {reason}")
        sound, _ = soundfile.read(wav, dtype="float32")
    return sound * (_PEAK / max(float(np.abs(sound).max()), 1e-9))
