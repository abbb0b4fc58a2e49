"""Does an export work where there is neither Keras nor rnnapps? `python -m rnnapps.serving.check EXPORT` says."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from rnnapps.serving.inspection.finding import Finding
from rnnapps.serving.versions import ExportError, latest

# Importing a module that is None raises ImportError.
_START = (
    "import runpy, sys; sys.modules.update(keras=None, rnnapps=None); sys.path.append(sys.argv.pop(1)); "
    "runpy.run_module('inspection', run_name='__main__')"
)


class Findings(NamedTuple):
    """What a check found, line by line."""

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
        """One line a finding: what was looked at, ok or FAILED or -, and the details."""
        width = max(len(row.check) for row in self.rows)
        result = {True: "ok", False: "FAILED", None: "-"}
        return "\n".join(f"{row.check:{width}}  {result[row.passed]:6}  {row.detail}".rstrip() for row in self.rows)

    def __str__(self) -> str:
        if self.passed:
            recorded = [
                row.detail for row in self.rows if row.passed and row.check == "recorded answers serving_default"
            ]
            return "; ".join([f"{sum(row.passed is True for row in self.rows)} checks passed", *recorded])
        return "; ".join(f"{row.check}: {row.detail}" for row in self.failures)


def check_export(export: Path) -> Findings:
    """Inspects an export in a process without `keras` and `rnnapps`, as TensorFlow Serving's loader sees it.

    Looked at are the signatures (a batch first, of any size), the operations (TensorFlow's and TensorFlow Text's, no
    Python function, nothing that XLA must compile), whether every variable has a value, and whether the recorded
    requests are answered as the run did: as they are, in batches of 1, 2, 33 and 0 rows, and at the second and the
    tenth call. The warm-up requests are replayed.

    Args:
        export: a version's folder, or the folder of the versions: then the newest one.

    Raises:
        ExportError: if there is no SavedModel.

    Example:
        >>> print(check_export(Path("exports/sentiment")).table())  # doctest: +SKIP
    """
    # -I: neither the current folder nor PYTHONPATH may lend the process what a server has not.
    process = subprocess.run(
        [sys.executable, "-I", "-c", _START, str(Path(__file__).parent), str(latest(export))],
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"exit code {process.returncode}"]
        return Findings((Finding("process", False, f"ended early: {lines[-1]}"),))
    return Findings(tuple(Finding(*row) for row in json.loads(process.stdout.splitlines()[-1])))


def main() -> None:
    """Prints the table; exit code 1 where something fails, 2 where there is no export."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python -m rnnapps.serving.check EXPORT")
        sys.exit(0 if sys.argv[1:] in (["-h"], ["--help"]) else 2)
    try:
        findings = check_export(Path(sys.argv[1]))
    except ExportError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    print(findings.table())
    sys.exit(not findings.passed)


if __name__ == "__main__":
    main()
