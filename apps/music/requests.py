"""What the signature of a model of music is asked, and what its answer says. No TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.apps.music.cli import Generation
from rnnapps.apps.music.keys import parsed_key
from rnnapps.apps.music.step_text import text_of
from rnnapps.cli import RunConfig
from rnnapps.datasets.music_files import SUFFIXES, read_file
from rnnapps.datasets.pieces import TICKS
from rnnapps.errors import UserError
from rnnapps.prediction.requests import TEXT, as_input

FILES = {"midi": (".mid", ".midi"), "abc": (".abc",), "wav": (".wav",), "plot": (".png",)}
_METRES = ("1", "2", "4", "8", "16")


def rows(arguments: Sequence[str], config: RunConfig | None, about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What to go on with: music files, or time steps as text; without any, nothing.

    Args:
        arguments: Paths of MIDI, ABC or MusicXML files, of which the first tune counts, or texts.
        config: What the run was started with; None for an export or a server.
        about: What an export says of itself.
    """
    for argument in arguments or [""]:
        if not argument.lower().endswith(SUFFIXES):
            yield {"prime": argument}
            continue
        path = Path(argument).expanduser()
        if not path.is_file():
            raise UserError(f"no such file: {argument!r}; name a music file, or give time steps: '60,64,67 - 62'")
        if "step" not in about:
            raise UserError(
                f"{argument}: a server does not say how long its time steps are; give them: '60,64,67 - 62'"
            )
        steps = read_file(path)[0].steps(round(about["step"] * TICKS))
        yield {"prime": text_of(steps)}


def request(row: Mapping[str, Any], decoding: Generation) -> dict[str, Any]:
    """The inputs of `serving_default`: a prime, and how to go on."""
    return {
        "prime": as_input(row, "prime", TEXT),
        "bars": np.int32(decoding.bars),
        "key": parsed_key(decoding.key) if decoding.key else "",
        "metre": decoding.metre,
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
    """Refuses options of `predict` that do not go together, and texts that name no key or metre."""
    if decoding.key:
        parsed_key(decoding.key)
    beats, _, kind = decoding.metre.partition("/")
    if not beats.isdecimal() or not 1 <= int(beats) <= 32 or kind not in _METRES:
        raise UserError(f"--metre must be a time signature such as 3/4, got {decoding.metre!r}")
    for name, suffixes in FILES.items():
        path = getattr(decoding, name)
        if path is None:
            continue
        if path.suffix.lower() not in suffixes:
            raise UserError(f"--{name} must end in {suffixes[0]}, got {path}")
        if asked != "run" or input is not None:
            raise UserError(f"--{name} needs the run folder and answers on the screen; leave out exports and --input")


def check_config(config: RunConfig) -> None:
    """Refuses a time step that does not divide a bar of 4/4."""
    ticks = config.source.step * TICKS
    if ticks != round(ticks) or 4 * TICKS % round(ticks):
        raise UserError(f"--step must divide a bar of 4/4, as 0.25, 0.5, 1 and 2 do, got {config.source.step:g}")
