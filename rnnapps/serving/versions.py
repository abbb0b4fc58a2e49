"""The versions of a model: numbered folders below one that TensorFlow Serving watches."""

import json
import re
from pathlib import Path
from typing import Any

from rnnapps.errors import UserError
from rnnapps.serving.inspection import files

METADATA = Path(files.METADATA)


class ExportError(UserError):
    """An export that cannot be written, read or trusted."""


def versions(output: Path) -> list[int]:
    """The numbers of the versions below a folder, in order; TensorFlow Serving looks at nothing else there."""
    return sorted(int(folder.name) for folder in output.iterdir() if re.fullmatch("[0-9]+", folder.name))


def next_version(output: Path) -> int:
    """The number after the highest one below a folder."""
    return max(versions(output), default=0) + 1


def is_export(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, itself or as versions."""
    return (folder / "saved_model.pb").is_file() or (folder.is_dir() and bool(versions(folder)))


def latest(export: Path) -> Path:
    """The folder of the newest version below `export`, or `export` itself if it is a version's folder.

    Raises:
        ExportError: if there is no SavedModel.
    """
    if (export / "saved_model.pb").is_file():
        return export
    if export.is_dir() and (numbers := versions(export)):
        return export / str(numbers[-1])
    raise ExportError(f"{export}: no SavedModel here; name the folder that export wrote")


def metadata(export: Path) -> dict[str, Any]:
    """What an export says of itself: app, classes, data set, metrics, packages, signatures.

    Args:
        export: a version's folder, or the folder of the versions: then the newest one.

    Raises:
        ExportError: if there is no SavedModel, or none that `save` wrote.
    """
    path = latest(export) / METADATA
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ExportError(f"{path}: cannot be read ({type(error).__name__}): not written by export?") from None
