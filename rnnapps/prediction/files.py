"""Prediction for whole files: constant memory, answers in the order of the rows, and a job that survives a kill.

Answers are collected in OUTPUT.partial. OUTPUT.position says how far they go; it is written after them, so that
whatever a kill leaves after that position is cut off when the job continues. OUTPUT gets its name when it is complete.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import click

from rnnapps.datasets.rows import Row, Rows
from rnnapps.errors import Stopped, UserError
from rnnapps.files import named_path
from rnnapps.prediction.answers import Answer, Refused, answer_each
from rnnapps.prediction.formats import Format, cell, check_new, output_format, table_line
from rnnapps.prediction.position import Job, Paths, Progress, job, locked, paths, save_progress, saved_progress
from rnnapps.serving.clients.errors import ServerError
from rnnapps.terminal import printable

_SAVE_SECONDS = 0.5
_WARNINGS_SHOWN = 3


class Summary(NamedTuple):
    """What a job did.

    Attributes:
        answered: The number of rows with an answer.
        rejected: The number of rows without one.
        rejects: The file that lists the rejected rows; it exists if there are any.
    """

    answered: int
    rejected: int
    rejects: Path


def predict_file(
    rows: Rows,
    answer: Answer,
    *,
    output: Path,
    overwrite: bool = False,
    outputs: Sequence[str],
    source: str,
    batch_size: int = 64,
) -> Summary:
    """Answers every row of a file, and prints a summary on standard output.

    The output has the columns of the input, and columns for the answers whose names start with `predicted_`. Rows that
    cannot be read or answered go to `<OUTPUT>.rejects.csv`, with line, reason and the values of the input columns, so
    that they can be corrected there and answered from that file. A line that could not be read has no values there. The
    same call continues a job that was interrupted.

    Args:
        rows: The input; its `inputs` are the columns that answers depend on.
        answer: From a list of rows to an answer each: a dictionary by output, or a `Refused`. A row is a dictionary by
            input column. Its values are strings if the file is a table; with JSON lines also numbers, or lists of
            numbers in which None stands for a missing one. `BadRequest` means that one of the rows is at fault.
        output: The file to write: .csv, .tsv or .jsonl.
        overwrite: Whether to replace it.
        outputs: The names of the answers that a table gets; JSON lines get all that there are.
        source: Identifies the model; a job continues only with the same one.
        batch_size: The number of rows answered at once.

    Returns:
        The number of rows answered and rejected.

    Raises:
        UserError: The output exists, cannot be written, or belongs to another job; or no row at all was answered.
        Stopped: Ctrl-C or SIGTERM; the message says how to continue.
    """
    for path in (output, *paths(output)):
        if path.exists() and path.samefile(rows.path):
            what = "is" if path == output else f"writes {path.name}, which is"
            raise UserError(f"--output {output}: {what} also the --input; choose another file")
    check_new(output, overwrite)
    line_format = output_format(output, rows.columns, outputs)
    try:
        with _sigterm_interrupts():
            summary = _run(rows, answer, output, overwrite, line_format, source, batch_size)
    except OSError as error:
        path = named_path(error) or output
        what = "cannot be written" if path == output else f"{path} cannot be written"
        again = "; the same command continues" if paths(output).position.is_file() else ""
        raise UserError(f"--output {output}: {what}: {error.strerror or error}{again}") from None
    if summary.rejected and not summary.answered:
        raise UserError(f"--input {rows.path}: none of the {summary.rejected} rows was answered, see {summary.rejects}")
    line = f"{output}: {summary.answered} answer{'s' * (summary.answered != 1)}"
    if summary.rejected:
        line += f", {summary.rejected} row{'s' * (summary.rejected != 1)} rejected, see {summary.rejects}"
    click.echo(printable(line))
    return summary


def _run(
    rows: Rows, answer: Answer, output: Path, overwrite: bool, line_format: Format, source: str, batch_size: int
) -> Summary:
    files, this_job = paths(output), job(rows, line_format.outputs, source)
    with contextlib.ExitStack() as stack:
        answers, refused = (stack.enter_context(locked(path)) for path in (files.partial, files.rejects))
        done = saved_progress(files, this_job, overwrite)  # not before: another process might be about to finish
        if done is None:
            answers.truncate(0)
            answers.write(line_format.header)
            done = Progress(output_bytes=answers.tell())
        elif done.rows:
            click.echo(printable(f"continuing after line {done.place.line - 1} of {rows.path}"), err=True)
        for file, end in ((answers, done.output_bytes), (refused, done.rejects_bytes)):
            file.truncate(end)
            file.seek(end)
        show = stack.enter_context(_bar(rows.size))
        warn = _warnings(rows.path)
        save_at = time.monotonic() + _SAVE_SECONDS
        reading = rows.after(done.place)
        try:
            while batch := list(islice(reading, batch_size)):
                for row in batch:
                    warn(row)
                done = _answered(batch, rows, answer, line_format, answers, refused, done)
                show(done)
                if (begin := time.monotonic()) > save_at:
                    save_progress(files, this_job, done, answers, refused)
                    took = time.monotonic() - begin  # on a slow disk, saves seldom enough not to wait for it
                    save_at = begin + max(_SAVE_SECONDS, 20 * took)
        except BaseException as error:
            raise _stopped(error, rows, files, this_job, done, answers, refused) from None
        save_progress(files, this_job, done, answers, refused)
    if not done.rejected:
        files.rejects.unlink()
    if done.rejected and not done.answered:
        files.partial.unlink()
    else:
        os.replace(files.partial, output)  # not with `rnnapps.files.replacing`: a kill must leave what is answered
    files.position.unlink()
    return Summary(done.answered, done.rejected, files.rejects)


def _stopped(
    error: BaseException,
    rows: Rows,
    files: Paths,
    this_job: Job,
    done: Progress,
    answers: BinaryIO,
    refused: BinaryIO,
) -> BaseException:
    """Leaves what a later call needs to continue, or nothing; returns the error to raise, which says which."""
    if done.rows:
        save_progress(files, this_job, done, answers, refused)
        remedy = f"run the same command to continue after line {done.place.line - 1} of {rows.path}"
    else:  # a different job may start in its place
        for file, path in ((answers, files.partial), (refused, files.rejects)):
            file.close()
            path.unlink()
        files.position.unlink(missing_ok=True)
        remedy = "nothing was written"
    if isinstance(error, KeyboardInterrupt):
        return Stopped(printable(f"interrupted: {remedy}"))
    if isinstance(error, ServerError) and done.rows:
        return type(error)(f"{error}; {remedy}")
    return error


def _answered(
    batch: Sequence[Row],
    rows: Rows,
    answer: Answer,
    line_format: Format,
    answers: BinaryIO,
    refused: BinaryIO,
    done: Progress,
) -> Progress:
    """Answers a batch and writes it; returns the progress of the job."""
    problems = [
        row.problem or _unusable(row.values, rows.inputs) or line_format.problem(row.values or {}) for row in batch
    ]
    inputs = (*rows.inputs, *rows.optional)
    asked = [
        {name: row.values[name] for name in inputs if name in rows.inputs or row.values.get(name) not in (None, "")}
        for row, problem in zip(batch, problems, strict=True)
        if row.values is not None and not problem
    ]
    found = iter(answer_each(answer, asked))
    rejected = 0
    for row, problem in zip(batch, problems, strict=True):
        reply = Refused(problem) if problem else next(found)
        values = row.values or {}
        if isinstance(reply, Refused):
            if refused.tell() == 0:
                own = (f"rejected_{name}" if name in inputs else name for name in ("line", "reason"))
                refused.write(table_line([*own, *inputs]))
            # Without cells for a line that could not be read, which is rejected again until it is filled in.
            cells = () if row.values is None else (cell(values.get(name)) for name in inputs)
            refused.write(table_line([row.line, reply.reason, *cells]))
            rejected += 1
        else:
            answers.write(line_format.line(values, reply))
    counts = done.answered + len(batch) - rejected, done.rejected + rejected
    return Progress(batch[-1].end, answers.tell(), refused.tell(), *counts)


def _unusable(values: dict[str, Any] | None, inputs: Sequence[str]) -> str:
    for name in inputs:
        value = (values or {}).get(name)
        if value is None or isinstance(value, dict):
            kind = "nothing" if value is None else "an object"
            return f"{name!r} must have a value, got {kind}"
    return ""


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Handles SIGTERM like Ctrl-C. An interrupt may come at any point: only the position on the disk counts."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():  # Python handles signals only there
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _warnings(path: Path) -> Callable[[Row], None]:
    """A function that prints warnings about suspicious rows, for the first few of them."""
    shown = 0

    def warn(row: Row) -> None:
        nonlocal shown
        if row.warning:
            shown += 1
            if shown <= _WARNINGS_SHOWN:
                click.echo(printable(f"warning: {path}: {row.warning}"), err=True)

    return warn


@contextlib.contextmanager
def _bar(size: int) -> Iterator[Callable[[Progress], None]]:
    """A function that shows the progress of a job: a bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    import rich.console
    import rich.progress

    columns = [
        rich.progress.BarColumn(),
        rich.progress.TaskProgressColumn(),
        rich.progress.TextColumn("{task.fields[rows]} rows"),
        rich.progress.TimeRemainingColumn(),
    ]
    with rich.progress.Progress(*columns, console=rich.console.Console(stderr=True)) as shown:
        task = shown.add_task("", total=size, rows="0")
        yield lambda done: shown.update(task, completed=done.place.offset, rows=f"{done.rows:,}")
