"""The versions of a model: numbered folders below the folder that TensorFlow Serving watches."""

import functools
import json
import logging
import re
from pathlib import Path
from typing import Any

from rnnapps.errors import UserError
from rnnapps.serving.inspection import files

METADATA = Path(files.METADATA)
GRAPH = "saved_model.pb"
_LARGEST = 2**63 - 1  # version numbers are int64 in TensorFlow Serving
_log = logging.getLogger(__name__)


class ExportError(UserError):
    """An export that cannot be written, read or trusted."""


def versions(output: Path) -> dict[int, Path]:
    """The version folders below a folder by number, in ascending order; TensorFlow Serving ignores all others.

    Raises:
        ExportError: If the folder cannot be read.
    """
    return {number: path for number, path in _numbered(output) if path.is_dir()}


def next_version(output: Path) -> int:
    """The number after the highest one below a folder, of files too.

    Raises:
        ExportError: The highest possible number is taken, or the folder cannot be read.
    """
    number = max((number for number, _ in _numbered(output)), default=0) + 1
    if number > _LARGEST:
        raise ExportError(f"{output / str(_LARGEST)}: no version can follow this one; choose --model-version")
    return number


def _numbered(output: Path) -> list[tuple[int, Path]]:
    """What has the number of a version as its name, in ascending order."""
    try:
        paths = [path for path in sorted(output.iterdir()) if re.fullmatch("[0-9]{1,19}", path.name)]
    except OSError as error:
        raise ExportError(f"{output}: cannot be read ({error.strerror or error}); check its permissions") from None
    return sorted((int(path.name), path) for path in paths if int(path.name) <= _LARGEST)


@functools.cache
def _warn_of_skipped(folder: Path) -> None:
    """Once for each folder, since a command looks for the newest version more than once."""
    _log.warning("warning: %s: skipped, it has no %s; delete it, or a server will try to load it", folder, GRAPH)


def is_export(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, itself or as versions, whole or damaged."""
    return (folder / GRAPH).is_file() or (folder.is_dir() and bool(versions(folder)))


def latest(export: Path) -> Path:
    """The folder of the newest version below `export`, or `export` itself if it is a version's folder.

    A version without `saved_model.pb` is skipped with a warning in the log, which names it.

    Raises:
        ExportError: If there is no SavedModel.
    """
    if (export / GRAPH).is_file():
        return export
    numbered = versions(export) if export.is_dir() else {}
    for folder in reversed(numbered.values()):
        if (folder / GRAPH).is_file():
            return folder
        _warn_of_skipped(folder)
    if numbered:
        raise ExportError(f"{export}: no version has a {GRAPH}: damaged, or not an export; export the run again")
    raise ExportError(f"{export}: no SavedModel here; name the folder that export wrote")


def metadata(export: Path) -> dict[str, Any]:
    """What an export says about itself: app, classes, data set, metrics, packages, signatures.

    Args:
        export: A version's folder, or the folder of the versions, which stands for the newest one.

    Raises:
        ExportError: If there is no SavedModel, or no valid `metadata.json` with it.
    """
    path = latest(export) / METADATA
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExportError(f"{path}: cannot be read ({error.strerror or error}); was it written by export?") from None
    except (ValueError, RecursionError):
        raise ExportError(f"{path}: damaged, not valid JSON; copy the export again, or export the run again") from None
    if not isinstance(described, dict):
        raise ExportError(
            f"{path}: damaged: must be a JSON object, got {type(described).__name__}; export the run again"
        )
    return described
