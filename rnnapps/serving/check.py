"""Checks that an export works without Keras and rnnapps: `python -m rnnapps.serving.check EXPORT`."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rnnapps.serving.inspection.finding import Finding
from rnnapps.serving.versions import ExportError, latest
from rnnapps.terminal import printable

# Importing a module that is None raises ImportError.
_START = (
    "import runpy, sys; sys.modules.update(keras=None, rnnapps=None); sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('inspection', run_name='__main__')"
)


class Findings(NamedTuple):
    """The result of a check.

    Attributes:
        rows: One finding per line of the table.
    """

    rows: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The lines that failed."""
        return tuple(row for row in self.rows if row.passed is False)

    def table(self) -> str:
        """One line per finding: what was checked; ok, FAILED or -; the details."""
        width = max(len(row.check) for row in self.rows)
        result = {True: "ok", False: "FAILED", None: "-"}
        return "\n".join(
            printable(f"{row.check:{width}}  {result[row.passed]:6}  {row.detail}".rstrip()) for row in self.rows
        )

    def __str__(self) -> str:
        if self.passed:
            recorded = [
                row.detail for row in self.rows if row.passed and row.check == "recorded answers serving_default"
            ]
            return "; ".join([f"{sum(row.passed is True for row in self.rows)} checks passed", *recorded])
        return "; ".join(f"{row.check}: {row.detail}" for row in self.failures)


def check_export(export: Path) -> Findings:
    """Inspects an export in a process without `keras` and `rnnapps`, as TensorFlow Serving's loader sees it.

    The check covers the signatures (a batch of any size first), the operations (TensorFlow's and TensorFlow Text's, no
    Python function, nothing that XLA must compile), the variables (each has a value) and the answers to the recorded
    requests, which must be those of the run: to the requests as they are, in batches of 1, 2, 33 and 0 rows, and at
    the second and the tenth call. The warm-up requests are replayed.

    Args:
        export: A version's folder, or the folder of the versions, which stands for the newest one.

    Returns:
        The findings. A damaged or hostile export gives failed findings, never an exception.

    Raises:
        ExportError: If there is no SavedModel.

    Example:
        >>> print(check_export(Path("exports/sentiment")).table())  # doctest: +SKIP
    """
    # -I: neither the current folder nor PYTHONPATH may give the process what a server does not have.
    process = subprocess.run(
        [sys.executable, "-I", "-c", _START, str(Path(__file__).parent), str(latest(export))],
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if process.returncode:
        return Findings((Finding("process", False, f"ended early: {_reason(process)}"),))
    return Findings(tuple(Finding(*row) for row in json.loads(process.stdout.splitlines()[-1])))


def _reason(process: subprocess.CompletedProcess[str]) -> str:
    """Why a process ended: the last thing that it wrote, or the signal, as where TensorFlow aborts."""
    lines = process.stderr.strip().splitlines()
    if process.returncode < 0:
        return ": ".join([signal.Signals(-process.returncode).name, *lines[-1:]])
    return lines[-1] if lines else f"exit code {process.returncode}"


def main() -> None:
    """Prints the table. The exit code is 1 if a check fails and 2 if there is no export."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python -m rnnapps.serving.check EXPORT")
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    try:
        findings = check_export(Path(sys.argv[1]))
    except ExportError as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        sys.exit(2)
    print(findings.table())
    sys.exit(not findings.passed)


if __name__ == "__main__":
    main()
