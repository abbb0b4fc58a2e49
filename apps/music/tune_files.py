"""The files of a tune that `predict` has written: MIDI, ABC notation, sound and picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rnnapps.apps.music.cli import Generation
from rnnapps.apps.music.keys import parsed_key
from rnnapps.apps.music.melody_tokens import notes_of, parsed
from rnnapps.apps.music.notation import chords_in_abc, melody_in_abc, write_midi, write_text
from rnnapps.apps.music.pictures import draw_roll
from rnnapps.apps.music.requests import metre_of
from rnnapps.apps.music.sounding import write_wav
from rnnapps.apps.music.step_text import held_notes, steps_of
from rnnapps.datasets.pieces import TICKS, Note, bar_length


class Tune(NamedTuple):
    """A tune.

    Attributes:
        notes: Onset, length and pitch of each note, in ticks.
        end: Where it ends, in ticks.
        given: Where its prime ends, in ticks.
        abc: The tune in ABC notation.
    """

    notes: list[Note]
    end: int
    given: int
    abc: str


def write_files(row: Mapping[str, Any], text: str, how: Generation, step: float | None) -> Iterator[Path]:
    """Writes the requested files; yields the path of each once it is written.

    Args:
        row: What the tune continues, see `rnnapps.apps.music.requests`.
        text: Time steps or the tokens of a melody that the model has written.
        how: Which files, key and tempo.
        step: Length of a time step in quarter notes; None for a melody.
    """
    metre, key = metre_of(row, how), parsed_key(how.key) if how.key else None
    tune = tune_of(row["prime"], text, metre, key, how.tempo, step)
    if how.midi is not None:
        write_midi(tune.notes, metre, key, how.tempo, how.midi)
        yield how.midi
    if how.abc is not None:
        write_text(tune.abc, how.abc)
        yield how.abc
    if how.wav is not None:
        begin = min((onset for onset, _, _ in tune.notes), default=0)  # leaves out the rest before an upbeat
        heard = [(onset - begin, length, pitch) for onset, length, pitch in tune.notes]
        write_wav(heard, metre, how.tempo, how.wav, how.soundfont)
        yield how.wav
    if how.plot is not None:
        draw_roll([(f"{key or 'a tune'}, {metre}", tune.notes, tune.end, bar_length(metre))], how.plot, tune.given)
        yield how.plot


def tune_of(prime: str, text: str, metre: str, key: str | None, tempo: float, step: float | None) -> Tune:
    """The tune made of a prime and its continuation, see `write_files`."""
    whole = f"{prime} {text}"
    if step is None:
        tokens = parsed(whole)
        notes, bars = notes_of(tokens)
        return Tune(notes, sum(bars), sum(notes_of(parsed(prime))[1]), melody_in_abc(tokens, metre, key, tempo))
    steps, ticks = steps_of(whole), round(step * TICKS)
    abc = chords_in_abc(steps, step, metre, key, tempo)
    return Tune(held_notes(steps, ticks), len(steps) * ticks, len(steps_of(prime)) * ticks, abc)
