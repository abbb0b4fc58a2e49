"""A page as Gradio shows it: a component for each input and output, and the events between them."""

from __future__ import annotations

import functools
import itertools
import logging
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from rnnapps.errors import UserError
from rnnapps.pages import markup
from rnnapps.pages.page import (
    ChoiceInput,
    ColouredWords,
    Download,
    FileInput,
    Input,
    NumberInput,
    Output,
    Page,
    Part,
    Picture,
    Probabilities,
    SoundInput,
    Table,
    TextInput,
    TextOutput,
    VideoOutput,
)
from rnnapps.terminal import shortened

_SHOWN = 90  # characters of an example on its button


def blocks(gradio: ModuleType, page: Page, folder: Path) -> Any:
    """The page as `gradio.Blocks`.

    Args:
        gradio: The module.
        page: What to show.
        folder: Where pictures, sounds and downloads are written before Gradio takes them over.
    """
    with gradio.Blocks(title=page.title, analytics_enabled=False) as built:
        gradio.HTML(markup.heading(page.title, page.summary), elem_classes=["heading"])
        for part in page.parts:
            if len(page.parts) == 1:
                _add(gradio, part, folder)
                continue
            with gradio.Tab(part.title):
                _add(gradio, part, folder)
    return built


def _add(gradio: ModuleType, part: Part, folder: Path) -> None:
    with gradio.Row():
        with gradio.Column(min_width=300):
            inputs = [_input(gradio, field) for field in part.inputs]
            button = None if part.live else gradio.Button(part.button, variant="primary")
            examples = []
            if part.examples:
                with gradio.Column(min_width=0, elem_classes=["choices"]):
                    gradio.HTML('<p class="examples">For example:</p>', padding=False)
                    examples = [
                        gradio.Button(_shortened(example), size="sm", elem_classes=["example"])
                        for example in part.examples
                    ]
        with gradio.Column(min_width=300):
            notice = gradio.HTML("", elem_classes=["notices"])
            outputs = [_output(gradio, field) for field in part.outputs]
    names = [field.name for field in part.inputs]
    answer = _answering(part, names, folder)
    # One request at a time, since models need not be thread-safe. The others wait their turn.
    how: dict[str, Any] = {
        "outputs": [notice, *outputs],
        "concurrency_id": "model",
        "concurrency_limit": 1,
        "api_visibility": "private",
    }
    if button is not None:
        button.click(answer, inputs, **how)
    for field, component in zip(part.inputs, inputs, strict=True):
        if isinstance(field, TextInput) and part.live:
            component.change(answer, inputs, trigger_mode="always_last", show_progress="hidden", **how)
        elif isinstance(field, TextInput):
            component.submit(answer, inputs, **how)
    for example, shown in zip(part.examples, examples, strict=True):
        values = [example.get(name, gradio.skip()) for name in names]
        filled = shown.click(
            functools.partial(_first, values), None, inputs, api_visibility="private", show_progress="hidden"
        )
        if not part.live:  # there, a change of the text triggers the request
            filled.then(answer, inputs, **how)


def _first(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values


def _answering(part: Part, names: list[str], folder: Path) -> Callable[..., list[Any]]:
    """The function that Gradio calls: from values of inputs to a notice and the values of outputs."""

    def answer(*values: Any) -> list[Any]:
        try:
            found = part.answer(**dict(zip(names, values, strict=True)))
            return ["", *(_value(field, found.get(field.name), folder) for field in part.outputs)]
        except UserError as error:
            message = " ".join(str(error).split())
            for value in values:  # a file is identified by its name, not by where Gradio has put it
                if isinstance(value, str) and Path(value).is_absolute():
                    message = message.replace(value, Path(value).name)
        except Exception:
            logging.getLogger(__name__).exception("the page could not answer")
            message = "The model could not answer this; the reason is in the terminal that shows the page's address."
        sentence = markup.notice(message[:1].upper() + message[1:])
        return [sentence, *(_value(field, None, folder) for field in part.outputs)]

    return answer


def _input(gradio: ModuleType, field: Input) -> Any:
    match field:
        case TextInput():
            return gradio.Textbox(
                field.value, label=field.label, lines=field.lines, max_lines=20, placeholder=field.placeholder
            )
        case NumberInput():
            maximum = max(field.maximum, field.value)
            return gradio.Slider(field.minimum, maximum, field.value, step=field.step, label=field.label)
        case ChoiceInput():
            return gradio.Dropdown(list(field.choices), value=field.value, label=field.label)
        case SoundInput():
            sources = ["upload", "microphone"]
            return gradio.Audio(label=field.label, sources=sources, type="filepath", buttons=["download"])
        case FileInput():
            return gradio.File(label=field.label, type="filepath", height=140)


def _output(gradio: ModuleType, field: Output) -> Any:
    match field:
        case TextOutput():
            return gradio.Textbox(label=field.label, lines=field.lines, max_lines=30, interactive=False)
        case Probabilities():
            return gradio.Label(label=field.label, num_top_classes=field.most)
        case ColouredWords() | Table():
            return gradio.HTML(markup.labelled(field.label, ""), container=True, padding=False)
        case Picture():
            buttons = ["download", "fullscreen"]
            with gradio.Column(min_width=0, elem_classes=["figure"]):
                gradio.HTML(markup.labelled(field.label, ""), padding=False)  # Gradio's label would hide the top
                return gradio.Image(
                    label=field.label, show_label=False, type="filepath", interactive=False, buttons=buttons
                )
        case VideoOutput():
            return gradio.Video(label=field.label, interactive=False)
        case Download():
            return gradio.DownloadButton(field.label, size="sm", interactive=False)
        case _:
            return gradio.Audio(label=field.label, type="filepath", interactive=False, buttons=["download"])


def _value(field: Output, value: Any, folder: Path) -> Any:
    """The value of an output as its component takes it."""
    match field:
        case TextOutput():
            return value or ""
        case Probabilities():
            return dict(value) if value else None
        case ColouredWords():
            return markup.labelled(field.label, markup.coloured_words(value or ()))
        case Table():
            return markup.labelled(field.label, markup.table(field.columns, value or ()))
        case Download():
            import gradio

            path = _written(value, folder, field.file)
            return gradio.DownloadButton(value=path, interactive=path is not None)
        case _:
            return _written(value, folder, f"{field.name}{field.suffix}")


def _written(write: Callable[[Path], object] | None, folder: Path, name: str) -> str | None:
    if write is None:
        return None
    path = Path(tempfile.mkdtemp(dir=folder), name)
    written = write(path)
    return None if written is False else str(path)


def _shortened(example: Mapping[str, Any]) -> str:
    values = (Path(value).name if isinstance(value, Path) else str(value) for value in example.values())
    text = " ".join(" · ".join(itertools.islice(values, 4)).split())
    return shortened(text, _SHOWN)
