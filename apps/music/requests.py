"""Requests to the signature of a model of music, and the meaning of its answers. No TensorFlow.

A row has a `prime`, text in the representation of the model; a row from a file also has `metre`, its time signature.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.apps.music.cli import Generation
from rnnapps.apps.music.keys import parsed_key
from rnnapps.apps.music.melody_tokens import BAR, DEFAULT_METRE, REST, melody_of
from rnnapps.apps.music.melody_tokens import text_of as melody_tokens_text
from rnnapps.apps.music.step_text import text_of
from rnnapps.cli import RunConfig
from rnnapps.datasets.music_files import SUFFIXES, read_file
from rnnapps.datasets.pieces import TICKS, Piece
from rnnapps.errors import UserError
from rnnapps.options import changed
from rnnapps.prediction.drawn_files import check_on_screen, check_suffix
from rnnapps.prediction.requests import TEXT, as_input

FILES = {"midi": (".mid", ".midi"), "abc": (".abc",), "wav": (".wav",), "plot": (".png",)}
_METRES = ("1", "2", "4", "8", "16")


def rows(arguments: Sequence[str], config: RunConfig | None, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The primes: music files, or time steps as text; an empty prime if there are none.

    Args:
        arguments: Paths of MIDI, ABC or MusicXML files, of which only the first tune is read, or texts.
        config: What the run was started with; None for an export or a server.
        about: What an export says about itself.
    """
    for argument in arguments or [""]:
        if not argument.lower().endswith(SUFFIXES):
            yield {"prime": argument}
            continue
        path = Path(argument).expanduser()
        if not path.is_file():
            raise UserError(f"no such file: {argument!r}; name a music file, or give the notes to continue as text")
        if "representation" not in about:
            raise UserError(f"{argument}: --server cannot take music files; give the notes as text: '60,64,67 - 62'")
        piece = read_file(path)[0]
        if about["representation"] == "melody":
            prime = melody_text(piece)
        else:
            prime = text_of(piece.steps(round(about["step"] * TICKS)))
        yield {"prime": prime, "metre": piece.metre}


def melody_text(piece: Piece) -> str:
    """The top voice of a piece as tokens, without the rest that fills its last bar."""
    tokens = melody_of(piece)
    while tokens and (tokens[-1] == BAR or tokens[-2] == REST):
        tokens = tokens[:-1] if tokens[-1] == BAR else tokens[:-2]
    return melody_tokens_text(tokens)


def metre_of(row: Mapping[str, Any], decoding: Generation) -> str:
    """The time signature of a tune: the requested one, that of the prime's file, or 4/4."""
    return decoding.metre or row.get("metre") or DEFAULT_METRE


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """What `predict --json` repeats of a row."""
    return {"prime": row["prime"]}


def request(row: Mapping[str, Any], decoding: Generation) -> dict[str, Any]:
    """The inputs of `serving_default`: a prime, and how to continue it."""
    return {
        "prime": as_input(row, "prime", TEXT),
        "bars": np.int32(decoding.bars),
        "key": parsed_key(decoding.key) if decoding.key else "",
        "metre": metre_of(row, decoding),
        "temperature": np.float32(decoding.temperature),
        "seed": np.int32(decoding.seed),
    }


def answer(outputs: Mapping[str, Any], about: Mapping[str, Any], decoding: Generation) -> dict[str, Any]:
    """The time steps that the model wrote."""
    return {"notes": outputs["notes"].decode()}


def lines(
    number: int, row: Mapping[str, Any], answer: Mapping[str, Any], decoding: Generation
) -> Iterator[Sequence[str]]:
    """Prime and tune together, on one line."""
    yield (f"{row['prime']} {answer['notes']}".strip(),)


def check(decoding: Generation, asked: str, input: Path | None) -> None:
    """Refuses options of `predict` that do not go together, and texts that are not the name of a key or metre."""
    if decoding.key:
        parsed_key(decoding.key)
    beats, _, kind = (decoding.metre or DEFAULT_METRE).partition("/")
    if not beats.isdecimal() or not 1 <= int(beats) <= 32 or kind not in _METRES:
        raise UserError(f"--metre must be a time signature such as 3/4, got {decoding.metre!r}")
    for name, suffixes in FILES.items():
        path = getattr(decoding, name)
        if path is not None:
            check_suffix(f"--{name}", path, suffixes)
            check_on_screen(f"--{name}", asked, input)
    if changed(decoding, "tempo") and not (decoding.midi or decoding.abc or decoding.wav):
        raise UserError("--tempo needs --midi, --abc or --wav; add one, such as --midi tune.mid")
    if decoding.soundfont is not None:
        if decoding.wav is None:
            raise UserError("--soundfont needs --wav; add it, such as --wav tune.wav")
        check_soundfont(decoding.soundfont)


def check_soundfont(path: Path) -> None:
    """Refuses a file that is not a soundfont: FluidSynth itself would play silence."""
    try:
        with path.open("rb") as file:
            begin = file.read(12)
    except OSError as error:
        raise UserError(f"--soundfont {path}: cannot be read: {error.strerror or error}") from None
    if begin[:4] != b"RIFF" or begin[8:] != b"sfbk":
        raise UserError(f"--soundfont {path}: not a soundfont (.sf2 or .sf3)")


def check_config(config: RunConfig) -> None:
    """Refuses a time step that does not divide a bar of 4/4, and options of chords for a melody."""
    step, model = config.source.step, config.model
    if model.representation == "melody":
        of_chords = {**changed(config.source, "step"), **changed(model, "head", "hidden")}
        for name, value in of_chords.items():
            raise UserError(f"--{name} is for --representation chords; leave it out for a melody, got {value}")
    elif of_melodies := changed(model, "embedding_units"):
        (units,) = of_melodies.values()
        raise UserError(f"--embedding-units is for --representation melody; leave it out for chords, got {units}")
    elif model.head == "independent" and changed(model, "hidden"):
        raise UserError(f"--hidden is for --head nade; leave it out with --head independent, got {model.hidden}")
    ticks = step * TICKS
    if ticks != round(ticks) or 4 * TICKS % round(ticks):
        raise UserError(f"--step must divide a bar of 4/4, as 0.25, 0.5, 1 and 2 do, got {step:g}")
