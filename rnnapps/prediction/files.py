"""Prediction for whole files: constant memory, answers in the order of the rows, and a job that survives a kill.

Answers are collected in OUTPUT.partial. OUTPUT.position says how far they go; it is written after they are, so whatever
a kill leaves behind it is cut off when the job goes on. OUTPUT gets its name when it is complete.
"""

import csv
import hashlib
import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import click

from rnnapps.datasets.rows import DELIMITERS, JSON_LINES, Place, Row, Rows
from rnnapps.errors import UserError
from rnnapps.serving.clients.errors import BadRequest, ServerError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


class Files(NamedTuple):
    output: Path
    overwrite: bool


_SAVE_SECONDS = 0.5
PREFIX = "predicted_"


class Refused(NamedTuple):
    """An input that gets no answer, and why."""

    reason: str


Answer = Callable[[list], Sequence[dict | Refused]]


class Summary(NamedTuple):
    """What a job did: how many rows it answered and rejected, and the file that names the rejected ones."""

    answered: int
    rejected: int
    rejects: Path


def predict_file(rows, answer, *, output, overwrite, outputs, source, batch_size):
    """Temporary."""
    one = lambda values: answer([{rows.inputs[0]: value} for value in values])  # noqa: E731
    _predict_file(rows, Files(output, overwrite), one, outputs, source, batch_size)


def _predict_file(rows: Rows, files: Files, answer: Answer, outputs: Sequence[str], source: str, batch_size: int):
    """Answers every row of a file, and says on standard output what became of it.

    The output has the columns of the input and `predicted_` ones for the answers. Rows that cannot be read or answered
    go to `<OUTPUT>.rejects.csv`, with line and reason.

    Args:
        rows: the input.
        files: where to and whether to replace it; the suffix of `files.output` is .csv, .tsv or .jsonl.
        answer: from a list of inputs to an answer each. `BadRequest` means that one of them is at fault.
        outputs: the names of the answers that a table gets; JSON lines get all that there are.
        source: who answers; a job goes on only with the same one.
        batch_size: rows answered at once.

    Raises:
        UserError: the output exists, cannot be written, or is another job's; or no row at all was answered.
    """
    output = files.output
    if output.suffix.lower() not in (*DELIMITERS, *JSON_LINES):
        raise UserError(f"--output {output}: must end in {', '.join((*DELIMITERS, *JSON_LINES))}")
    if output.exists() and output.samefile(rows.path):
        raise UserError(f"--output {output}: is the --input too; choose another one")
    if output.exists() and not files.overwrite:
        raise UserError(f"--output {output}: exists already; choose another one, or --overwrite")
    if taken := [name for name in rows.columns if name.startswith(PREFIX)]:
        raise UserError(f"--input {rows.path}: the column {taken[0]!r} has a name of the answers; rename it")
    try:
        summary = _run(rows, files, answer, outputs, source, batch_size)
    except OSError as error:
        raise UserError(f"--output {output}: cannot be written: {error.strerror or error}") from None
    if summary.rejected and not summary.answered:
        raise UserError(f"--input {rows.path}: none of the {summary.rejected} rows was answered, see {summary.rejects}")
    line = f"{output}: {summary.answered} answers"
    click.echo(line + (f", {summary.rejected} rows rejected, see {summary.rejects}" if summary.rejected else ""))


def _run(rows, files, answer, outputs, source, batch_size) -> Summary:
    output = files.output
    partial, position = _beside(output, ".partial"), _beside(output, ".position")
    rejects = _beside(output, ".rejects.csv")
    write = _writer(output, rows.columns, outputs)
    job = _job(rows, output, source)
    done = _earlier(position, partial, rejects, job, files.overwrite)
    with ExitStack() as stack:
        answers, refused = (stack.enter_context(_locked(path)) for path in (partial, rejects))
        if done is None:
            answers.truncate(0)
            answers.write(write.header)
            done = _Done(Place(), answers.tell(), 0, 0, 0)
        elif done.rows:
            click.echo(f"going on after line {done.place.line - 1} of {rows.path}", err=True)
        for file, end in ((answers, done.output_bytes), (refused, done.rejects_bytes)):
            file.truncate(end)
            file.seek(end)
        show = stack.enter_context(_bar(rows.size))
        save_at = time.monotonic() + _SAVE_SECONDS
        reading = rows.after(done.place)
        try:
            while batch := list(islice(reading, batch_size)):
                for row in batch:
                    if row.warning:
                        click.echo(f"warning: {rows.path}: {row.warning}", err=True)
                done = _answered(batch, rows.inputs[0], answer, write, answers, refused, done)
                show(done)
                if (begin := time.monotonic()) > save_at:
                    _save(position, job, done, answers, refused)
                    took = time.monotonic() - begin  # on a slow disk seldom enough not to wait for it
                    save_at = begin + max(_SAVE_SECONDS, 20 * took)
        except BaseException as error:
            if not done.rows:  # nothing to go on with: another command may begin in its place
                for file, path in ((answers, partial), (refused, rejects)):
                    file.close()
                    path.unlink()
                position.unlink(missing_ok=True)
                raise
            _save(position, job, done, answers, refused)
            if isinstance(error, ServerError):
                raise ServerError(f"{error}; the same command goes on after line {done.place.line - 1}") from None
            raise
        _save(position, job, done, answers, refused)
    if not done.rejected:
        rejects.unlink()
    if done.rejected and not done.answered:
        partial.unlink()
    else:
        os.replace(partial, output)
    position.unlink()
    return Summary(done.answered, done.rejected, rejects)


def _locked(path: Path) -> BinaryIO:
    """A file to read and write that no other job has open; a kill unlocks it."""
    file = open(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")  # noqa: SIM115
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise UserError(f"{path}: another process is writing it; wait, or choose another --output") from None
    return file


class _Done(NamedTuple):
    """How far a job is: the place in the input, the sizes of the two files that belong to it, and counts."""

    place: Place
    output_bytes: int
    rejects_bytes: int
    answered: int
    rejected: int

    @property
    def rows(self) -> int:
        return self.answered + self.rejected


def _answered(batch: list[Row], column, answer, write, answers: BinaryIO, refused: BinaryIO, done: _Done) -> _Done:
    found, asked = {}, []
    for row in batch:
        problem = row.problem or _unusable(row, column) or write.problem(row.values)
        if problem:
            found[row.line] = Refused(problem)
        else:
            asked.append(row)
    replies = one_by_one_if_need_be(answer, [row.values[column] for row in asked]) if asked else []
    found |= {row.line: reply for row, reply in zip(asked, replies, strict=True)}
    rejected = 0
    for row in batch:
        reply = found[row.line]
        if isinstance(reply, Refused):
            if refused.tell() == 0:
                refused.write(b"line,reason\n")
            refused.write(_delimited([row.line, reply.reason], ","))
            rejected += 1
        else:
            answers.write(write.row(row.values, {PREFIX + name: value for name, value in reply.items()}))
    counts = done.answered + len(batch) - rejected, done.rejected + rejected
    return _Done(batch[-1].end, answers.tell(), refused.tell(), *counts)


def _unusable(row: Row, column: str) -> str:
    return "" if isinstance(row.values.get(column), str) else f"no text in {column!r}"


def one_by_one_if_need_be(answer: Answer, inputs: list) -> list[dict | Refused]:
    """Answers a list of inputs; where the request for several is refused, halves it until the culprit stands alone."""
    try:
        return list(answer(inputs))
    except BadRequest as error:
        if len(inputs) == 1:
            return [Refused(str(error))]
    middle = len(inputs) // 2
    return [*one_by_one_if_need_be(answer, inputs[:middle]), *one_by_one_if_need_be(answer, inputs[middle:])]


def _beside(output: Path, suffix: str) -> Path:
    return output.with_name(output.name + suffix)


def _job(rows: Rows, output: Path, source: str) -> dict:
    """What must be the same for a job to go on."""
    if rows.files:
        state = hashlib.sha256("\0".join(map(str, rows.files)).encode(errors="surrogateescape")).hexdigest()
    else:
        found = rows.path.stat()
        state = [found.st_size, found.st_mtime_ns]
    return {"input": str(rows.path.resolve()), "state": state, "column": rows.inputs[0], "source": source}


def _earlier(position: Path, partial: Path, rejects: Path, job: dict, overwrite: bool) -> _Done | None:
    """How far the same job came before, or None to begin."""
    try:
        saved = json.loads(position.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        raise UserError(f"{position}: damaged; remove it to begin anew") from None
    changed = [name for name, value in job.items() if saved["job"].get(name) != value]
    if not changed:
        place, *rest = saved["done"]
        done = _Done(Place(*place), *rest)
        whole = _size(partial) >= done.output_bytes and _size(rejects) >= done.rejects_bytes
        return done if whole else None
    if overwrite:
        return None
    what = "the input has changed" if changed == ["state"] else f"its {changed[0]} is another"
    raise UserError(f"{partial}: left by another job ({what}); begin anew with --overwrite, or choose another --output")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _save(position: Path, job: dict, done: _Done, *written: BinaryIO) -> None:
    for file in written:
        file.flush()
        os.fsync(file.fileno())
    beside = _beside(position, ".new")
    with open(beside, "w", encoding="utf-8") as file:
        json.dump({"job": job, "done": done}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, position)


class _Writer(NamedTuple):
    """How rows look in the output: the header, a row with its answers, and why a row cannot be written."""

    header: bytes
    row: Callable[[dict, dict], bytes]
    problem: Callable[[dict], str]


def _writer(output: Path, columns: tuple[str, ...], outputs: Sequence[str]) -> _Writer:
    names = [*columns, *(PREFIX + name for name in outputs)]
    delimiter = DELIMITERS.get(output.suffix.lower())

    def other(values: dict) -> str:
        """JSON lines may have keys that the first one has not."""
        if delimiter and (extra := [name for name in values if name not in columns]):
            return f"{extra[0]!r} is no key of the first row; write .jsonl to keep it"
        return next((f"{name!r} is a name of the answers" for name in values if name.startswith(PREFIX)), "")

    def cell(value: object) -> object:
        return value if isinstance(value, str | int | float) else "" if value is None else json.dumps(value)

    if delimiter is None:
        return _Writer(b"", lambda values, found: f"{json.dumps(values | found, ensure_ascii=False)}\n".encode(), other)
    return _Writer(
        _delimited(names, delimiter),
        lambda values, found: _delimited([cell((values | found).get(name)) for name in names], delimiter),
        other,
    )


def _delimited(fields: Sequence, delimiter: str) -> bytes:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="\n").writerow(fields)
    return line.getvalue().encode()


def _bar(size: int):
    """A context that gives a function to show how far a job is: a bar on a terminal, nothing elsewhere."""
    from contextlib import contextmanager

    @contextmanager
    def nothing() -> Iterator[Callable[[_Done], None]]:
        yield lambda done: None

    @contextmanager
    def bar() -> Iterator[Callable[[_Done], None]]:
        import rich.console
        import rich.progress as progress

        columns = progress.BarColumn(), progress.TaskProgressColumn(), progress.TextColumn("{task.fields[rows]} rows")
        console = rich.console.Console(stderr=True)
        with progress.Progress(*columns, progress.TimeRemainingColumn(), console=console) as shown:
            task = shown.add_task("", total=size, rows=0)
            yield lambda done: shown.update(task, completed=done.place.offset, rows=f"{done.rows:,}")

    return bar() if sys.stderr.isatty() else nothing()
