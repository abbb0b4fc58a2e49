"""Several answers to one input."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnapps.errors import UserError

NO_ANSWER = -1e9  # the score of an answer that does not exist; not -inf, for which JSON has no number


def with_nbest(several: Sequence[Mapping[str, Any]], nbest: int | None) -> dict[str, Any]:
    """The best answer, and under `nbest` the best few if several are requested.

    Args:
        several: The answers, the best first.
        nbest: The value of `--nbest`.

    Example:
        >>> with_nbest([{"text": "a"}, {"text": "b"}, {"text": "c"}], 2)
        {'text': 'a', 'nbest': [{'text': 'a'}, {'text': 'b'}]}
    """
    return {**several[0], **({"nbest": list(several[:nbest])} if nbest and nbest > 1 else {})}


def best_classes(outputs: Mapping[str, Any], about: Mapping[str, Any], top: int) -> tuple[str, float, dict[str, float]]:
    """The label of a classifier's answer, its probability, and the most probable classes with theirs.

    Args:
        outputs: `label`, `score`, and with `top` above 1 `probabilities`.
        about: `classes` in the order of the probabilities.
        top: The value of `--top`.

    Example:
        >>> outputs = {"label": b"yes", "score": 0.7, "probabilities": [0.1, 0.7, 0.2]}
        >>> best_classes(outputs, {"classes": ["no", "yes", "perhaps"]}, 2)
        ('yes', 0.7, {'yes': 0.7, 'perhaps': 0.2})
    """
    label, score = outputs["label"].decode("utf-8", errors="replace"), round(outputs["score"], 6)
    if top == 1:
        return label, score, {label: score}
    ranked = sorted(zip(about["classes"], outputs["probabilities"], strict=True), key=lambda pair: -pair[1])
    return label, score, {name: round(probability, 6) for name, probability in ranked[:top]}


def check_nbest(wanted: int | None, held: int) -> None:
    """Refuses to show more answers per input than a signature gives.

    Args:
        wanted: The value of `--nbest`; None shows the best answer.
        held: Number of answers in an output, fixed when the export was made.

    Raises:
        UserError: More are requested.

    Example:
        >>> check_nbest(8, held=5)
        Traceback (most recent call last):
        ...
        rnnapps.errors.UserError: --nbest 8: the export gives at most 5; export again with --nbest 8, or use the run
    """
    if wanted is not None and wanted > held:
        raise UserError(
            f"--nbest {wanted}: the export gives at most {held}; export again with --nbest {wanted}, or use the run"
        )


def check_beam(nbest: int | None, beam: int, asked: str, input: Path | None) -> None:
    """Refuses several answers where only one is available: in a file, or more of them than a run's beam finds.

    Args:
        nbest: The value of `--nbest`.
        beam: The value of `--beam`.
        asked: "run", "export" or "server".
        input: The file of `--input`, if there is one.

    Raises:
        UserError: More are requested.
    """
    check_one("--nbest", nbest, input)
    if asked == "run" and nbest is not None and nbest > beam:
        raise UserError(f"--nbest {nbest} needs a --beam of at least {nbest}, got {beam}")


def check_top(top: int, asked: str, input: Path | None) -> None:
    """Refuses to name several classes where only the best one is available: from a server, or in a file.

    Args:
        top: The value of `--top`.
        asked: "run", "export" or "server".
        input: The file of `--input`, if there is one.

    Raises:
        UserError: Several are requested.
    """
    check_one("--top", top, input)
    if asked == "server" and top > 1:
        raise UserError(f"--top {top}: a server gives only the best class; use the run or the export")


def check_one(option: str, wanted: int | None, input: Path | None) -> None:
    """Refuses several answers per row of the file of `--input`, whose output has one column for the answer.

    Args:
        option: The option that requests them, for example "--nbest".
        wanted: Its value.
        input: The file, if there is one.

    Raises:
        UserError: Several are requested for a file.
    """
    if input is not None and wanted is not None and wanted > 1:
        raise UserError(f"{option} {wanted} is for inputs on the command line: a file gets one answer per row")
