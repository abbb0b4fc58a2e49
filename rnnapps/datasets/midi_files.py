"""Notes of MIDI files, from their events.

music21 parses a file. Its scores are not used: they are bars with voices and ties made up for notation, in which a
chord that is held over a bar line under another voice shifts what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.datasets.pieces import HIGHEST, LOWEST, TICKS, Piece
from rnnapps.extras import from_extra

SUFFIXES = (".mid", ".midi")
_DRUMS = 10  # the channel of percussion
_WRITTEN = 0.9  # the share of times on the grid from which on a file was written and not played
_PLAYED = np.array([0, 6, 8, 12, 16, 18, 24])  # ticks that a played note may begin or end at: fourths and thirds


def read_midi(path: Path) -> Piece:
    """The notes of all tracks and channels but percussion.

    Times are rounded to ticks. In a recording of somebody who plays, most are between ticks; they are moved to the
    nearest fourth or third of a quarter note.

    Raises:
        Exception: Whatever music21 raises where a file is damaged.
        UserError: music21 is not installed.
    """
    midi = from_extra("music21.midi", extra="music", purpose="reading MIDI, ABC and MusicXML")
    file = midi.MidiFile()
    file.open(str(path))
    try:
        file.read()
    finally:
        file.close()
    found = [
        note
        for track in file.tracks
        for note in _notes(track, file.ticksPerQuarterNote)
        if LOWEST <= note[2] <= HIGHEST
    ]
    notes = np.array(found, float).reshape(-1, 3)
    times = _on_ticks(notes[:, :2])
    whole = np.stack([times[:, 0], times[:, 1] - times[:, 0], notes[:, 2].astype(int)], axis=1)
    return Piece(path.name, np.array(sorted(map(tuple, whole[whole[:, 1] > 0])), np.int32).reshape(-1, 3), _metre(file))


def _notes(track: Any, resolution: int) -> Iterator[tuple[float, float, int]]:
    """Onset and end of each note in ticks, before rounding, and its pitch."""
    sounding: dict[tuple[int, int], float] = {}
    now = 0.0
    for event in track.events:
        if event.isDeltaTime():
            now += event.time * TICKS / resolution
            continue
        if not (event.isNoteOn() or event.isNoteOff()) or event.channel == _DRUMS:
            continue
        struck = event.isNoteOn() and event.velocity > 0
        key = event.channel, event.pitch
        if key in sounding:  # a note that is struck again ends, too
            yield sounding.pop(key), now, event.pitch
        if struck:
            sounding[key] = now
    yield from ((onset, now, pitch) for (_, pitch), onset in sounding.items())


def _on_ticks(times: np.ndarray) -> np.ndarray:
    """Times rounded to whole ticks."""
    rounded = np.rint(times).astype(int)
    if not times.size or np.mean(np.abs(times - rounded) < 0.1) >= _WRITTEN:
        return rounded
    quarters = np.floor(times / TICKS)
    nearest = np.abs((times - quarters * TICKS)[..., None] - _PLAYED).argmin(axis=-1)
    return (quarters * TICKS).astype(int) + _PLAYED[nearest]


def _metre(file: Any) -> str:
    """The first time signature; 4/4 in a file without one."""
    for track in file.tracks:
        for event in track.events:
            if getattr(event.type, "name", "") == "TIME_SIGNATURE":
                return f"{event.data[0]}/{2 ** event.data[1]}"
    return "4/4"
