"""The page of `rnn-music try`: a tune to hear, to see as a piano roll, and to download as MIDI."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rnnapps.apps.music.keys import KEYS, key_name
from rnnapps.cli.questions import Questions
from rnnapps.datasets.sources import MusicSource
from rnnapps.errors import UserError
from rnnapps.pages import ChoiceInput, Download, NumberInput, Page, Part, Picture, SoundOutput, TextInput

_ANY = "the model's choice"


def page(questions: Questions) -> Page:
    """Key, metre and other settings in; sound, piano roll and MIDI out."""
    quarters = questions.about.get("step", MusicSource().step)  # a server does not report its step
    metres = list(questions.about.get("metres") or ["4/4", "3/4", "2/4", "6/8"])
    example = "G 1 ^F 1/2 z 1/2" if questions.about.get("representation") == "melody" else "48,55,64,72 - 50,57,65,74"
    how = questions.decoding

    def answer(
        prime: str, key: str, metre: str, bars: int, tempo: float, temperature: float, seed: int
    ) -> Mapping[str, Any]:
        wishes: dict[str, Any] = {"key": None if key == _ANY else key, "metre": metre, "bars": int(bars)}
        wishes |= {"temperature": float(temperature), "seed": int(seed)}
        row = {"prime": prime}
        (found,) = questions.answers([row], **wishes)
        notes = found["notes"]
        if not re.search(r"\d", f"{prime} {notes}"):
            raise UserError("the model wrote no notes; raise the temperature, or choose another seed")
        step = None if any(letter.isalpha() for letter in notes) else quarters  # only melodies have letters
        wished = dataclasses.replace(how, **wishes, tempo=tempo)

        def write(kind: str, path: Path) -> None:
            from rnnapps.apps.music.tune_files import write_files

            list(write_files(row, notes, dataclasses.replace(wished, **{kind: path}), step))

        return {"sound": partial(write, "wav"), "roll": partial(write, "plot"), "midi": partial(write, "midi")}

    part = Part(
        title="Music",
        inputs=[
            ChoiceInput("key", "Key", (_ANY, *map(key_name, range(KEYS))), how.key or _ANY),
            ChoiceInput("metre", "Metre", metres, how.metre if how.metre in metres else metres[0]),
            NumberInput("bars", "Bars", how.bars, 0, 64, 1),
            NumberInput("tempo", "Quarter notes a minute", 80, 40, 200, 1),
            NumberInput("temperature", "Temperature: below 1 favours probable notes", how.temperature, 0, 2, 0.05),
            NumberInput("seed", "The same seed writes the same tune", how.seed, 0, 999, 1),
            TextInput("prime", "Continue these notes, if any", lines=1, placeholder=example),
        ],
        outputs=[
            SoundOutput("sound", "Tune"),
            Picture("roll", "Piano roll"),
            Download("midi", "Download the MIDI file", file="tune.mid"),
        ],
        answer=answer,
        button="Write a tune",
    )
    return Page("Music", "Choose a key and a metre, and hear what the model writes.", [part])
