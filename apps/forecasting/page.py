"""The page of `rnn-forecasting try`: a table of series, and its forecasts with bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rnnapps.apps.forecasting.requests import beside_values
from rnnapps.cli.questions import Questions
from rnnapps.errors import UserError
from rnnapps.pages import Download, FileInput, Page, Part, Picture, Table, TextInput

_MOST = 1000  # series of a file
_DRAWN = 4
_MIDDLE = "0.5"


def page(questions: Questions) -> Page:
    """A table or numbers in; the forecasts out, as a picture, a table and a file."""

    inputs: list[FileInput | TextInput] = [FileInput("file", "Table of series")]
    wanted = "drop in a table of series first"
    if not beside_values(questions.about):
        inputs.append(
            TextInput("numbers", "Or numbers, the latest one last", lines=2, placeholder="112 118 132 129 121")
        )
        wanted = "drop in a table of series, or type numbers first"

    def answer(file: str | None, numbers: str = "") -> Mapping[str, Any]:
        if not file and not numbers.strip():
            raise UserError(wanted)
        rows = questions.rows([file or numbers])
        if len(rows) > _MOST:
            raise UserError(f"the page takes at most {_MOST} series, got {len(rows)}; use rnn-forecasting predict")
        answers = questions.answers(rows)
        lines = [
            line
            for number, (row, answer) in enumerate(zip(rows, answers, strict=True))
            for line in questions.lines(row, answer)[number > 0 :]  # one header is enough
        ]
        return {
            "bands": partial(_draw, list(zip(rows, answers, strict=True)), questions),
            "first": _summary(lines, len(answers[0]["mean"])),
            "csv": partial(_write, lines),
        }

    part = Part(
        title="Forecasting",
        inputs=inputs,
        outputs=[
            Picture("bands", "Forecasts"),
            Download("csv", "Download the forecasts as CSV", file="forecasts.csv"),
            Table(
                "first",
                "The first series; low and high are the quantiles nearest to 5 % and 95 %",
                columns=("time", "low", "median", "high"),
            ),
        ],
        answer=answer,
        button="Forecast",
    )
    summary = (
        "Drop in series like those that the model was trained on, as CSV, TSV, JSON lines or Parquet, and see how they"
        " may continue."
    )
    return Page("Forecasting", summary, [part])


def _summary(lines: Sequence[Sequence[str]], steps: int) -> list[Sequence[str]]:
    """Time and three quantiles of the first series: the outermost ones up to 5 and 95 %, and the median."""
    header = lines[0]
    levels = header[3:]
    low = next((level for level in levels if float(level) >= 0.05), levels[0])
    high = next((level for level in reversed(levels) if float(level) <= 0.95), levels[-1])
    places = [1, *(header.index(level) for level in (low, _MIDDLE, high))]
    return [[line[place].replace("T", " ").removesuffix(":00") for place in places] for line in lines[1 : steps + 1]]


def _draw(answered: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], questions: Questions, path: Path) -> None:
    from rnnapps.apps.forecasting.pictures import draw_answers

    draw_answers(answered[:_DRAWN], questions.about.get("season", 1), path, columns=1)


def _write(lines: Sequence[Sequence[str]], path: Path) -> None:
    from rnnapps.prediction.formats import table_line

    path.write_bytes(b"".join(table_line(list(line), ",") for line in lines))
