"""The verb `score`: how surprising a text is, as figures and as a picture."""

from __future__ import annotations

import math
import re
import sys
from pathlib import Path

import click
import tensorflow as tf

from rnnapps.apps.language.cli import TASK
from rnnapps.apps.language.pictures import draw_surprise
from rnnapps.apps.language.report import unknown_row
from rnnapps.apps.language.scoring import log_probabilities
from rnnapps.apps.language.tokens import UNKNOWN
from rnnapps.cli.output import say
from rnnapps.cli.run_config import read_run
from rnnapps.datasets import CorpusSource, load_splits
from rnnapps.errors import UserError
from rnnapps.files import strict_json
from rnnapps.prediction.drawn_files import check_suffix

_LIKE_A_FILE = re.compile(r"\S+\.(txt|text|md|csv|tsv|jsonl?|html?|gz)", re.IGNORECASE)


def score_text(run: Path, text: str | None, plot: Path | None, as_json: bool) -> None:
    """Prints bits per token, bits per character and the perplexity of a text, and draws the text.

    Raises:
        UserError: There is no run, no text, or the file is not text.
    """
    if plot is not None:
        check_suffix("--plot", plot)
    content = _content(text)
    _, _, model = read_run(run, TASK)
    ids, scores = log_probabilities(model, tf.constant([content]))
    pieces = [model.tokens.pieces[token] for token in ids.numpy()[0]]
    if not pieces:
        raise UserError("the text has no tokens; give a text that is not empty")
    bits = [-float(score) / math.log(2) for score in scores.numpy()[0]]
    total, characters = sum(bits), len(content.decode("utf-8", errors="replace"))
    perplexity = 2 ** min(total / len(bits), 1000)
    unknown = float((ids.numpy()[0] == UNKNOWN).mean())
    if as_json:
        tokens = [
            {"token": piece.decode("utf-8", errors="replace"), "bits": round(surprise, 6)}
            for piece, surprise in zip(pieces, bits, strict=True)
        ]
        figures = {"bits": round(total, 6), "characters": characters, "perplexity": perplexity, "unknown": unknown}
        click.echo(strict_json({**figures, "tokens": tokens}))
    else:
        say(f"bits                  {total:,.1f}")
        say(f"bits per character    {total / characters:.4f}")
        say(f"bits per token        {total / len(bits):.4f}")
        say(f"perplexity per token  {perplexity:,.2f}  ({len(bits):,} tokens)")
        for row in unknown_row(unknown):
            say(row)
    if plot is not None:
        draw_surprise([("", [list(zip(pieces, bits, strict=True))])], plot)
        say(f"picture: {plot}", err=as_json)


def _content(text: str | None) -> bytes:
    """A text, the content of a file, or standard input."""
    if text is None:
        if sys.stdin.isatty():
            raise UserError('no text: give one as an argument ("..."), name a file, or use standard input')
        return click.get_binary_stream("stdin").read()  # type: ignore[operator]
    try:
        is_file = Path(text).is_file()
    except (OSError, ValueError):  # a name that no file can have
        is_file = False
    if is_file:
        corpus = load_splits(CorpusSource(text), ["all"])["all"]
        return b"".join(block.text for block in corpus.read())
    if _LIKE_A_FILE.fullmatch(text):
        say(f"warning: there is no file {text!r}; scoring the name itself as text", err=True)
    return text.encode("utf-8", errors="surrogateescape")
