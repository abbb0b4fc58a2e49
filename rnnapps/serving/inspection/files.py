"""The files that an export has in addition to its SavedModel."""

import json
import os
from collections.abc import Iterator

from .finding import Finding

METADATA = os.path.join("assets.extra", "metadata.json")
RECORDED = os.path.join("assets.extra", "recorded_answers.json")
WARMUP = os.path.join("assets.extra", "tf_serving_warmup_requests")  # the server looks for this name


def files(export: str) -> Iterator[Finding]:
    """Whether the files are there and valid. None of them is needed in a SavedModel that `export` did not write."""
    missing = [name for name in (METADATA, RECORDED, WARMUP) if not os.path.isfile(os.path.join(export, name))]
    if len(missing) == 3 and not _has_our_readme(export):
        yield Finding("accompanying files", None, "not written by export: no metadata, recorded answers, warm-up")
        return
    fault = f"missing: {', '.join(missing)}" if missing else ""
    if METADATA not in missing:
        try:
            with open(os.path.join(export, METADATA), encoding="utf-8") as file:
                described = json.load(file)
        except (OSError, ValueError, RecursionError) as error:
            fault = fault or f"{METADATA} cannot be read: {error}"
        else:
            if not isinstance(described, dict):
                fault = fault or f"{METADATA} is damaged: expected a JSON object, got {type(described).__name__}"
    yield Finding("accompanying files", not fault, fault or "metadata, recorded answers, warm-up")


def _has_our_readme(export: str) -> bool:
    try:
        with open(os.path.join(export, "README.md"), encoding="utf-8", errors="replace") as file:
            return "`assets.extra/metadata.json`" in file.read()
    except OSError:
        return False
