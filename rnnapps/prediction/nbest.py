"""Several answers to one input."""

from pathlib import Path

from rnnapps.errors import UserError


def check_nbest(wanted: int | None, held: int) -> None:
    """Refuses to show more answers per input than a signature gives.

    Args:
        wanted: The value of `--nbest`; None takes all answers.
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
