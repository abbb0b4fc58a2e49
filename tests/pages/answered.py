"""What a page answers, without a browser: its functions are called as the page calls them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnapps.pages import ColouredWords, FileInput, Page, Part, Probabilities, SoundInput, Table, TextInput, TextOutput

_BEGINNINGS = {".png": b"\x89PNG", ".wav": b"RIFF", ".mid": b"MThd"}


def first_values(part: Part, given: str) -> dict[str, Any]:
    """The values that the inputs of a part have at first, and `given` for the first text or file."""
    values = {field.name: getattr(field, "value", None) for field in part.inputs}
    first = next(field for field in part.inputs if isinstance(field, (TextInput, FileInput, SoundInput)))
    return values | {first.name: given}


def answered(page: Page, given: str, folder: Path) -> dict[str, Any]:
    """What each part answers to its first values; each value is checked against what its output declares.

    Args:
        page: The page.
        given: What is typed or dropped into the first field of each part.
        folder: Where pictures, sounds and downloads are written.

    Returns:
        The values by part and output, where there are any; the suffixes of files.
    """
    assert page.title and page.summary and page.parts
    found = {}
    for part in page.parts:
        values = part.answer(**first_values(part, given))
        assert values.keys() <= {field.name for field in part.outputs}, part.title
        for field in (field for field in part.outputs if field.name in values):
            found[f"{part.title}: {field.name}"] = _checked(field, values[field.name], folder)
    return found


def _checked(field: Any, value: Any, folder: Path) -> Any:
    match field:
        case TextOutput():
            assert isinstance(value, str)
        case Probabilities():
            assert isinstance(value, Mapping)
            assert all(isinstance(name, str) and 0 <= value[name] <= 1.00001 for name in value)
        case ColouredWords():
            assert all(isinstance(piece, str) and -1 <= weight <= 1 for piece, weight in value)
        case Table():
            assert all(len(row) == len(field.columns) or not field.columns for row in value)
        case _ if value is not None:
            path = folder / getattr(field, "file", f"{field.name}{getattr(field, 'suffix', '')}")
            assert value(path) is not False
            content = path.read_bytes()
            assert content.startswith(_BEGINNINGS.get(path.suffix, b"")), path
            assert len(content) > 100
            return path.suffix
    return value
