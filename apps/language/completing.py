"""The verb `complete`: completions of a text, once or after every key."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import rich.console
import rich.live
import rich.text
import tensorflow as tf

from rnnapps.apps.language.cli import TASK
from rnnapps.apps.language.completion import complete
from rnnapps.apps.language.model import LanguageModel
from rnnapps.cli.inputs import input_texts
from rnnapps.cli.output import say
from rnnapps.cli.run_config import read_run
from rnnapps.errors import UserError
from rnnapps.terminal import printable

_BACK, _TAB, _ESCAPE = ("\x7f", "\b"), "\t", "\x1b"

Completions = list[tuple[str, float]]


def complete_text(run: Path, text: str | None, count: int, interactive: bool, as_json: bool) -> None:
    """Prints the completions of a text.

    Raises:
        UserError: There is no run, or no terminal to type in.
    """
    if interactive and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UserError("--interactive needs a terminal; leave it out, and give the text as an argument")
    _, _, model = read_run(run, TASK)
    ask = asker(model, count)
    if interactive:
        _while_typing(text or "", ask)
        return
    for one in input_texts([] if text is None else [text]):
        words = ask(one)
        following = ask(_completed(one, words)) if words else []
        if as_json:
            click.echo(json.dumps({"text": one, "completions": _named(words), "next": _named(following)}))
            continue
        for word, probability in words:
            say(f"{probability:7.1%}  {word}")
        if not words:
            say(f"no completion of {(one.split() or [''])[-1]!r} is known", err=True)
        if following:
            say(f"and after {words[0][0]!r}:")
            for word, probability in following:
                say(f"{probability:7.1%}  {word}")


def asker(model: LanguageModel, count: int) -> Callable[[str], Completions]:
    """A function from a text to its completions, the likeliest first."""
    graph = tf.function(
        lambda text: complete(model, text, count), input_signature=[tf.TensorSpec([None], tf.string)], autograph=False
    )

    def ask(text: str) -> Completions:
        answer = graph(tf.constant([text]))
        pairs = zip(answer["completions"].numpy()[0], answer["probabilities"].numpy()[0], strict=True)
        return [(word.decode(), float(probability)) for word, probability in pairs if word]

    return ask


def _while_typing(text: str, ask: Callable[[str], Completions]) -> None:
    console = rich.console.Console()
    words = ask(text)
    with rich.live.Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(_picture(text, words), refresh=True)
            try:
                key = click.getchar()
            except (KeyboardInterrupt, EOFError):  # Ctrl-C and Ctrl-D
                return
            if key == _ESCAPE:
                return
            if key in _BACK:
                text = text[:-1]
            elif key == _TAB:
                text = _completed(text, words) if words else text
            elif key in ("\r", "\n"):
                text += "\n"
            elif key.isprintable():
                text += key
            words = ask(text)


def _picture(text: str, words: Completions) -> rich.text.Text:
    picture = rich.text.Text(printable(text, multiline=True)).append("▏", "cyan")
    for number, (word, probability) in enumerate(words):
        picture.append(f"\n{probability:7.1%}  ", "bright_black").append(printable(word), "bold" if not number else "")
    return picture.append("\nTab accepts the first; Esc quits", "bright_black")


def _completed(text: str, words: Completions) -> str:
    """The text with its last word completed, and a space after it."""
    word = words[0][0]
    for begun in range(min(len(word), len(text)), -1, -1):
        if word.startswith(text[len(text) - begun :]) and (begun == len(text) or not text[-begun - 1 :][:1].isalnum()):
            return f"{text[: len(text) - begun]}{word} "
    return f"{text}{word} "


def _named(words: Completions) -> list[dict[str, Any]]:
    return [{"word": word, "probability": round(probability, 6)} for word, probability in words]
