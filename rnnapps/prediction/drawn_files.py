"""The files that `predict` writes along with answers on the screen, such as pictures."""

from collections.abc import Sequence
from pathlib import Path

from rnnapps.errors import UserError


def check_suffix(option: str, path: Path, suffixes: Sequence[str] = (".png",)) -> None:
    """Refuses a file that does not end as its format does.

    Args:
        option: The option that names it, for example "--plot".
        path: The file.
        suffixes: The suffixes of the format, the usual one first.

    Raises:
        UserError: The file has another suffix.
    """
    if path.suffix.lower() not in suffixes:
        raise UserError(f"{option} must end in {suffixes[0]}, got {path}")


def check_on_screen(option: str, asked: str, input: Path | None) -> None:
    """Refuses a file that only answers of a run on the screen can be drawn in.

    Args:
        option: The option that names it.
        asked: "run", "export" or "server".
        input: The file of `--input`, if there is one.

    Raises:
        UserError: An export or a server answers, or the answers go to a file.
    """
    if asked != "run" or input is not None:
        raise UserError(f"{option} needs a run folder and answers on the screen; name a run, and leave out --input")
