"""Music in files: MIDI, ABC tune books and MusicXML, read by music21, and lists of time steps in JSON.

Layouts:

- a folder of files, in subfolders or not. Subfolders called `train`, `validation` and `test` are the splits;
- one file, which may be a tune book with many tunes;
- a `.json` file with an object of splits, each a list of pieces, each a list of time steps, each a list of MIDI
  pitches: the layout in which the data sets of Boulanger-Lewandowski et al. (2012) are passed on.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.datasets import midi_files
from rnnapps.datasets.pieces import HIGHEST, LOWEST, TICKS, Piece, Pieces
from rnnapps.datasets.rejected import DataError, Rejected, first_of
from rnnapps.datasets.sources import MusicSource
from rnnapps.datasets.splits import SPLIT_NAMES, hold_out, named_parts, places_of
from rnnapps.errors import UserError
from rnnapps.extras import from_extra
from rnnapps.files import visible_files

SUFFIXES = (*midi_files.SUFFIXES, ".abc", ".xml", ".musicxml", ".mxl")


def read_pieces(path: Path, source: MusicSource, splits: Sequence[str]) -> dict[str, Pieces]:
    """Reads your own music.

    Args:
        path: A folder or a file.
        source: The step, the seed of what is held out, and whether a bad file is an error.
        splits: The splits wanted, or only "all".

    Raises:
        DataError: There is no music, a split is empty, or with `source.strict` a file is bad.
    """
    rejected: list[Rejected] = []
    found = list(_from_json(path) if path.suffix.lower() == ".json" else _from_files(path, source, rejected))
    pieces, named = [piece for piece, _ in found], [split for _, split in found]
    if not pieces:
        kinds = ", ".join((*SUFFIXES, ".json"))
        raise DataError(f"{path}: no music files ({kinds}){first_of(rejected, 'file', 'files')}")
    parts = None
    if list(splits) != ["all"]:
        parts, train, missing = named_parts(path, [split or None for split in named])
        contents = [pieces[place].notes.tobytes() for place in train]
        parts[train] = hold_out(contents, [0] * len(train), missing, source.seed)
    made = {}
    for split in splits:
        own = tuple(pieces[place] for place in places_of(split, parts, len(pieces), path, ("piece", "pieces")))
        made[split] = Pieces(own, source.step, source.dataset, split, tuple(rejected))
    return made


def read_file(path: Path) -> list[Piece]:
    """The pieces of a MIDI, ABC or MusicXML file.

    Raises:
        DataError: music21 cannot read it, or there are no notes in it.
        UserError: music21 is not installed.
    """
    try:
        pieces = [midi_files.read_midi(path)] if path.suffix.lower() in midi_files.SUFFIXES else _notated(path)
    except UserError:
        raise
    except Exception as error:  # music21's readers raise what the damage leads to, such as IndexError
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(f"{path}: music21 cannot read it: {reason}") from None
    pieces = [piece for piece in pieces if len(piece.notes)]
    if not pieces:
        raise DataError(f"{path}: contains no notes")
    return pieces


def _notated(path: Path) -> list[Piece]:
    scores = read_scores(path)
    names = [path.name] if len(scores) == 1 else [f"{path.name} {number}" for number in range(1, len(scores) + 1)]
    return [piece_of(score, name) for score, name in zip(scores, names, strict=True)]


def read_scores(path: Path) -> list[Any]:
    """The music21 scores of an ABC or MusicXML file; a tune book has several."""
    music21 = from_extra("music21", extra="music", purpose="reading MIDI, ABC and MusicXML")
    parsed = music21.converter.parseFile(str(path), forceSource=True, storePickle=False)
    return list(parsed.scores) if isinstance(parsed, music21.stream.Opus) else [parsed]


def piece_of(score: Any, name: str) -> Piece:
    """The piece of a music21 score; tied notes are one note, grace notes and repeats are left out.

    Args:
        score: A `music21.stream.Stream`.
        name: What to call it.
    """
    notes: list[list[int]] = []
    for part in [*score.parts] or [score]:
        held: dict[int, list[int]] = {}
        for element in part.flatten().notes:
            if not hasattr(element, "pitches") or not element.quarterLength or not element.pitches:
                continue  # a grace note, a chord symbol, or percussion
            onset = round(float(element.offset) * TICKS)
            length = round(float(element.offset + element.quarterLength) * TICKS) - onset
            tied = element.tie is not None and element.tie.type in ("continue", "stop")
            for pitch in element.pitches:
                before = held.get(pitch.midi)
                if tied and before is not None and before[0] + before[1] == onset:
                    before[1] += length
                elif LOWEST <= pitch.midi <= HIGHEST and length:
                    held[pitch.midi] = [onset, length, pitch.midi]
                    notes.append(held[pitch.midi])
    array = np.array(sorted(map(tuple, notes)), np.int32).reshape(-1, 3)
    metre, upbeat = _metre(score)
    return Piece(name, array, metre, upbeat)


def _metre(score: Any) -> tuple[str, int]:
    """The first time signature, and the ticks before the first bar line."""
    part = next(iter(score.parts), score)
    signature = next(iter(part.recurse().getElementsByClass("TimeSignature")), None)
    if signature is None:
        return "", 0
    bar = float(signature.barDuration.quarterLength)
    measure = next(iter(part.getElementsByClass("Measure")), None)
    first = bar if measure is None else float(measure.highestTime)
    # The ratio of an additive metre, such as 3/8+2/8, is that of its sum.
    return f"{signature.numerator}/{signature.denominator}", round(first * TICKS) if 0 < first < bar else 0


def _from_files(path: Path, source: MusicSource, rejected: list[Rejected]) -> Iterator[tuple[Piece, str]]:
    files = [path]
    if path.is_dir():
        files = visible_files(path, SUFFIXES)
    for file in files:
        split = SPLIT_NAMES.get(file.relative_to(path).parts[0].lower(), "") if file != path else ""
        try:
            yield from zip(read_file(file), itertools.repeat(split))
        except DataError as error:
            if source.strict:
                raise
            rejected.append(Rejected(None, str(error).removeprefix(f"{file}: "), file))


def _from_json(path: Path) -> Iterator[tuple[Piece, str]]:
    """The pieces of a `.json` file: each step a quarter note."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: must be an object of splits (train, valid, test), got {type(content).__name__}")
    for key, pieces in content.items():
        split = SPLIT_NAMES.get(key.lower())
        if split is None or not isinstance(pieces, list):
            raise DataError(f"{path}: must be an object of lists by split (train, valid, test), got {key[:40]!r}")
        for number, steps in enumerate(pieces, 1):
            yield Piece(f"{key} {number}", _notes(steps, f"{path}: piece {number} of {key!r}")), split


def _notes(steps: Any, where: str) -> np.ndarray:
    notes = []
    if not isinstance(steps, list) or not all(isinstance(step, list) for step in steps):
        raise DataError(f"{where}: must be a list of time steps, each a list of MIDI pitches")
    for place, pitch in ((place, pitch) for place, step in enumerate(steps) for pitch in step):
        if not isinstance(pitch, int) or not LOWEST <= pitch <= HIGHEST:
            raise DataError(f"{where}: pitches must be whole numbers from {LOWEST} to {HIGHEST}, got {pitch!r}")
        notes.append((place * TICKS, TICKS, pitch))
    return np.array(sorted(set(notes)), np.int32).reshape(-1, 3)
