"""Shared by the benchmarks: a process for each contender, memory, and tables in the Markdown of a README."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def cores() -> int:
    """Number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_a_process(script: str, *arguments: str, python: str = sys.executable) -> dict[str, Any]:
    """Runs a script in its own process, so that no contender warms up another or holds on to memory.

    Args:
        script: The file to run.
        arguments: Its command line.
        python: The interpreter, for a contender with a separate environment.

    Returns:
        The JSON object on the last line that the script printed.
    """
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.run([python, script, *arguments], env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(process.stderr)
    return json.loads(process.stdout.splitlines()[-1])


def run_command(group: Any, *arguments: str) -> str:
    """Runs a command of an application in this process, and ends the benchmark if it fails.

    Args:
        group: The command group, `main` of the application's `cli`.
        arguments: The command line.

    Returns:
        What the command printed on standard output; the rest goes to standard error.
    """
    from click.testing import CliRunner

    result = CliRunner().invoke(group, list(arguments))
    if result.exit_code:
        raise SystemExit(result.output)
    print(result.stderr, file=sys.stderr)
    return result.stdout


def resident_mebibytes(*, peak: bool = False) -> float:
    """Resident memory of this process now, or its peak since `reset_peak`, in MiB. Linux only."""
    name = "VmHWM" if peak else "VmRSS"
    with open("/proc/self/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(name)) / 1024


def reset_peak() -> None:
    """Resets the peak memory of this process. Linux only."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def print_header(columns: Sequence[str]) -> None:
    """Prints the head of a Markdown table."""
    print_row(columns)
    print("|" + " --- |" * len(columns))


def print_row(cells: Iterable[object]) -> None:
    """Prints one row of a Markdown table at once, so that a long benchmark shows how far it is."""
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def write_figures(path: str | None, figures: object) -> None:
    """Writes all figures of a benchmark as JSON, if a file is named."""
    if path:
        Path(path).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
