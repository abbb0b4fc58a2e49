"""Does an export work where there is neither Keras nor rnnapps? Asked of a fresh process."""

import base64
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from rnnapps.serving import fresh_process
from rnnapps.serving.export import ExportError


def check(
    export: Path,
    requests: Mapping[str, list],
    answers: Mapping[str, list],
    *,
    signature: str = "serving_default",
    tolerance: float = 1e-4,
) -> dict:
    """Loads an export in a process without `keras` and `rnnapps`, inspects its graph and compares its answers.

    Args:
        export: a version's folder.
        requests: the inputs of the signature by name; text as str or bytes.
        answers: what is expected, by output name: numbers within `tolerance`, text equal.
        signature: which of the export's signatures is asked.
        tolerance: largest difference of a number.

    Returns:
        What the process found: `ops` (their number), `requests`, `largest_difference`.

    Raises:
        ExportError: if the graph holds an op that TensorFlow Serving cannot run, or if an answer differs.
    """
    question = {"export": str(export), "requests": requests, "answers": answers}
    question |= {"signature": signature, "tolerance": tolerance}
    process = subprocess.run(
        [sys.executable, "-I", fresh_process.__file__],
        input=json.dumps(question, default=_binary),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["the process ended without a word"]
        raise ExportError(f"the export failed its check in a fresh process: {lines[-1]}")
    return json.loads(process.stdout)


def _binary(value: bytes) -> dict[str, str]:
    """Bytes in JSON as TensorFlow Serving's REST interface takes them."""
    return {"b64": base64.b64encode(value).decode()}
