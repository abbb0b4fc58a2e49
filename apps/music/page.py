"""The page of `rnn-music try`: a tune to hear, to see as a piano roll, and to download as MIDI."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from rnnapps.apps.music.keys import KEYS, key_name
from rnnapps.apps.music.step_text import steps_of
from rnnapps.cli.questions import Questions
from rnnapps.errors import UserError
from rnnapps.pages import ChoiceInput, Download, NumberInput, Page, Part, Picture, SoundOutput, TextInput

_ANY = "the model's choice"
_QUARTERS = 0.25  # length of a time step where a server does not say it


def page(questions: Questions) -> Page:
    """Key, metre and other wishes in; sound, piano roll and MIDI out."""
    quarters = questions.about.get("step", _QUARTERS)
    metres = list(questions.about.get("metres") or ["4/4", "3/4", "2/4", "6/8"])
    how = questions.decoding

    def answer(
        prime: str, key: str, metre: str, bars: int, tempo: float, temperature: float, seed: int
    ) -> Mapping[str, Any]:
        wishes = {"key": None if key == _ANY else key, "metre": metre, "bars": int(bars)}
        (found,) = questions.answers([{"prime": prime}], temperature=float(temperature), seed=int(seed), **wishes)
        begun, steps = steps_of(prime), steps_of(f"{prime} {found['notes']}")
        if not any(steps):
            raise UserError("the model wrote no notes; raise the temperature, or choose another seed")

        from rnnapps.apps.music.pictures import draw_roll
        from rnnapps.apps.music.sounding import write_midi, write_wav

        beats, kind = map(int, metre.split("/"))
        bar = max(1, round(beats * 4 / kind / quarters))
        title = f"{'a tune' if key == _ANY else key}, {metre}"
        return {
            "sound": partial(write_wav, steps, quarters, tempo),
            "roll": lambda path: draw_roll([(title, steps)], path, bar, len(begun)),
            "midi": partial(write_midi, steps, quarters, metre, tempo),
        }

    part = Part(
        title="Music",
        inputs=[
            ChoiceInput("key", "Key", (_ANY, *map(key_name, range(KEYS))), how.key or _ANY),
            ChoiceInput("metre", "Metre", metres, how.metre if how.metre in metres else metres[0]),
            NumberInput("bars", "Bars", min(how.bars, 64), 1, 64, 1),
            NumberInput("tempo", "Quarter notes a minute", 80, 40, 200, 1),
            NumberInput("temperature", "Temperature: below 1, probable notes gain", how.temperature, 0, 2, 0.05),
            NumberInput("seed", "Seed: the same one writes the same tune", how.seed % 1000, 0, 999, 1),
            TextInput("prime", "Go on with these time steps, if any", lines=1, placeholder="48,55,64,72 - 50,57,65,74"),
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
