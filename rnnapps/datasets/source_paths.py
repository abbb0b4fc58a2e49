"""Whether a source means a named set or files, and which: one answer for loading, `config.json` and command lines.

Imports neither TensorFlow nor NumPy, as `rnnapps.datasets.sources` does not.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rnnapps.datasets import named_sets
from rnnapps.datasets.rejected import DataError
from rnnapps.datasets.sources import (
    AnySource,
    CorpusSource,
    PairSource,
)


def files_of(source: PairSource) -> dict[str, Path]:
    """The files of lines that a source names, by option ("source", "validation-source", ...)."""
    names = ("source", "target", "validation_source", "validation_target")
    return {
        name.replace("_", "-"): Path(path).expanduser() for name in names if (path := getattr(source, name)) is not None
    }


def absolute(source: AnySource) -> AnySource:
    """The same source with absolute paths, as `config.json` needs it: `evaluate` may run in another folder.

    The name of a named set stays a name, whatever files there are.
    """
    changes: dict[str, Any] = {}
    for field in dataclasses.fields(source):
        value = getattr(source, field.name)
        if isinstance(value, Path):
            changes[field.name] = value.expanduser().resolve()
    if isinstance(source, CorpusSource):
        paths = [str(path.resolve()) for path in paths_of(source)]
        if len(paths) > 1 and (found := next((path for path in paths if "," in path), None)):
            raise DataError(f"{found}: commas separate paths; rename the file or its folder, or name one path")
        changes["dataset"] = ",".join(paths) or source.dataset
    elif source.dataset is not None and is_path(source.dataset, source.kind):
        changes["dataset"] = str(Path(source.dataset).expanduser().resolve())
    return dataclasses.replace(source, **changes)


def paths_of(source: CorpusSource) -> list[Path]:
    """The files and folders that a corpus is of; none for a set with a name.

    Commas separate several, unless there is a file of that very name. Of several, those that are missing are
    returned as well: who writes a comma means paths.
    """
    if is_path(source.dataset, "corpora"):
        return [Path(source.dataset).expanduser()]
    parts = [Path(part.strip()).expanduser() for part in source.dataset.split(",") if part.strip()]
    return parts if len(parts) > 1 else []


def is_path(dataset: str, kind: named_sets.Kind) -> bool:
    """Whether a data set is a file or folder that exists; a named set of the same kind goes first."""
    if not dataset or dataset in named_sets.names(kind):
        return False
    try:
        return Path(dataset).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # a name that no file can have
        return False
