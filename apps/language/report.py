"""How good a language model is: figures, a table of them, and the lines that surprise it most and least."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from rnnapps.apps.language.cli import Evaluation
from rnnapps.apps.language.dynamic import score_dynamically
from rnnapps.apps.language.model import LanguageModel
from rnnapps.apps.language.pictures import draw_surprise
from rnnapps.apps.language.scoring import score_ids
from rnnapps.apps.language.token_file import lines, tokenized
from rnnapps.apps.language.tokens import END, NEWLINE, UNKNOWN
from rnnapps.datasets import Corpus

_LINES = 5  # lines of either kind
_SHORTEST = {"char": 20, "subword": 6, "word": 4}  # tokens of a line
_LONGEST = 400


def assess(
    model: LanguageModel,
    split: Corpus,
    batch_size: int,
    decoding: Evaluation | None = None,
    report: Path | None = None,
) -> dict[str, Any]:
    """Evaluates a language model.

    Args:
        model: The model.
        split: The text.
        batch_size: Streams of text read side by side, at most.
        decoding: Whether the model keeps learning.
        report: Folder for `surprise.png`, the lines that surprise most and least; None draws nothing.

    Returns:
        `nats_per_character`, `bits_per_character`, `nats_per_token`, `perplexity` (of a token), `word_perplexity`
        (words are separated by white space, so that levels are comparable), `unknown` (the share of unknown tokens),
        and the numbers of `tokens`, `characters` and `words`.
    """
    file = tokenized(model.tokens, split)
    dynamic = decoding is not None and decoding.dynamic
    nats = score_dynamically(model, file.ids) if dynamic else score_ids(model, file.ids, batch_size)
    if report is not None:
        _draw_lines(model, file.ids, nats, report / "surprise.png")
    total = float(nats.sum(dtype=np.float64))
    return {
        "nats_per_character": total / file.characters,
        "bits_per_character": total / file.characters / math.log(2),
        "nats_per_token": total / len(nats),
        "perplexity": _exp(total / len(nats)),
        "word_perplexity": _exp(total / max(1, file.words)),
        "unknown": float(np.mean(np.asarray(file.ids[1:]) == UNKNOWN)),
        "tokens": len(nats),
        "characters": file.characters,
        "words": file.words,
    }


def table(metrics: dict[str, Any]) -> str:
    """The figures of `assess`, formatted for reading."""
    rows = [
        f"nats per character    {metrics['nats_per_character']:.4f}",
        f"bits per character    {metrics['bits_per_character']:.4f}",
        f"perplexity per token  {metrics['perplexity']:,.2f}",
        f"perplexity per word   {_readable(metrics['word_perplexity'])}",
        f"text                  {metrics['characters']:,} characters, {metrics['words']:,} words,"
        f" {metrics['tokens']:,} tokens",
    ]
    return "\n".join([*rows, *unknown_row(metrics["unknown"])])


def _readable(number: float) -> str:
    return f"{number:,.1f}" if number < 1e6 else f"{number:.2e}"


def unknown_row(share: float) -> list[str]:
    """The row on unknown tokens, if there are any; `share` is between 0 and 1."""
    return [f"unknown tokens        {share:.2%}; the figures ignore the text they replace"] * (share > 0)


def _draw_lines(model: LanguageModel, ids: np.ndarray, nats: np.ndarray, picture: Path) -> None:
    """Draws the lines with the highest and the lowest mean surprise."""
    found = [
        (float(nats[begin - 1 : end - 1].mean()), begin, end)
        for begin, end in lines(ids, (NEWLINE, END), _LONGEST)
        if begin > 0 and end - begin >= _SHORTEST[model.options.level]
    ]
    found.sort(reverse=True)
    most, least = found[:_LINES], found[_LINES:][-_LINES:]
    if not found:
        return

    def text(begin: int, end: int) -> list[tuple[bytes, float]]:
        return [(model.tokens.pieces[ids[place]], float(nats[place - 1]) / math.log(2)) for place in range(begin, end)]

    draw_surprise(
        [("most surprising", [text(begin, end) for _, begin, end in most])]
        + [("least surprising", [text(begin, end) for _, begin, end in least])] * bool(least),
        picture,
    )


def _exp(nats: float) -> float:
    return math.exp(min(nats, 700))
