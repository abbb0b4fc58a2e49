"""The declaration of a page for trying a model: parts with inputs, outputs, and the function between. No Gradio."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Write = Callable[[Path], object]  # writes a file at a path; returns False where there is nothing to write


@dataclasses.dataclass(frozen=True)
class _Field:
    """An input or an output.

    Attributes:
        name: The keyword of an input, or the key of an output.
        label: The text above it on the page.
    """

    name: str
    label: str


@dataclasses.dataclass(frozen=True)
class TextInput(_Field):
    """A typed text: str.

    Attributes:
        value: The initial text.
        lines: Its height.
        placeholder: The text in the empty field.
    """

    value: str = ""
    lines: int = 4
    placeholder: str = ""


@dataclasses.dataclass(frozen=True)
class NumberInput(_Field):
    """A number between two bounds: int if `step` is whole, else float. A larger initial value raises `maximum`."""

    value: float = 0
    minimum: float = 0
    maximum: float = 1
    step: float = 1


@dataclasses.dataclass(frozen=True)
class ChoiceInput(_Field):
    """One of several texts: str."""

    choices: Sequence[str] = ()
    value: str = ""


@dataclasses.dataclass(frozen=True)
class SoundInput(_Field):
    """A recording, from the microphone or a file: the path of the file, str, or None."""


@dataclasses.dataclass(frozen=True)
class FileInput(_Field):
    """A file dropped onto the page: its path, str, or None."""


@dataclasses.dataclass(frozen=True)
class TextOutput(_Field):
    """A text: str."""

    lines: int = 2


@dataclasses.dataclass(frozen=True)
class Probabilities(_Field):
    """Names and their probabilities, the most probable first: `Mapping[str, float]`."""

    most: int = 8


@dataclasses.dataclass(frozen=True)
class ColouredWords(_Field):
    """Pieces of a text and their weights from -1 (against the answer) to 1 (for it): `Sequence[tuple[str, float]]`."""


@dataclasses.dataclass(frozen=True)
class Table(_Field):
    """Rows of cells: `Sequence[Sequence[str]]`."""

    columns: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class Picture(_Field):
    """A picture: `Write`, for a PNG; or None."""

    suffix: str = ".png"


@dataclasses.dataclass(frozen=True)
class SoundOutput(_Field):
    """A sound with a player: `Write`, for a WAV file; or None."""

    suffix: str = ".wav"


@dataclasses.dataclass(frozen=True)
class VideoOutput(_Field):
    """A video with a player: `Write`, for an MP4 file; or None."""

    suffix: str = ".mp4"


@dataclasses.dataclass(frozen=True)
class Download(_Field):
    """A file to download: `Write`; or None.

    Attributes:
        file: The name that it is saved under.
    """

    file: str = "answer.txt"


Input = TextInput | NumberInput | ChoiceInput | SoundInput | FileInput
Output = TextOutput | Probabilities | ColouredWords | Table | Picture | SoundOutput | VideoOutput | Download


@dataclasses.dataclass(frozen=True)
class Part:
    """Inputs, a button, and outputs. A page with several parts shows each on a tab.

    Attributes:
        title: Its name on the tab.
        inputs: What a user gives.
        outputs: What the page shows.
        answer: From the inputs, as keywords, to the values of the outputs by name. A `UserError` is shown as a
            sentence; outputs that are left out are empty.
        button: The text of the button.
        examples: Example values of inputs, by name; each gets a button.
        live: Whether to answer after every keystroke, without a button.
    """

    title: str
    inputs: Sequence[Input]
    outputs: Sequence[Output]
    answer: Callable[..., Mapping[str, Any]]
    button: str = "Answer"
    examples: Sequence[Mapping[str, Any]] = ()
    live: bool = False


@dataclasses.dataclass(frozen=True)
class Page:
    """A page for trying a model.

    Attributes:
        title: Its heading.
        summary: One or two sentences below the heading.
        parts: What can be tried.
    """

    title: str
    summary: str
    parts: Sequence[Part]
