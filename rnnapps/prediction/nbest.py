"""Several answers to one input, of which an export holds so many."""

from rnnapps.errors import UserError


def check_nbest(wanted: int | None, held: int) -> None:
    """Refuses to show more answers to an input than a signature gives.

    Args:
        wanted: The value of `--nbest`; None takes what there is.
        held: Number of answers in an output, fixed when the export was made.

    Raises:
        UserError: More are wanted.

    Example:
        >>> check_nbest(8, held=5)
        Traceback (most recent call last):
        ...
        rnnapps.errors.UserError: --nbest 8: the export gives at most 5; export again with --nbest 8, or ask the run
    """
    if wanted is not None and wanted > held:
        raise UserError(
            f"--nbest {wanted}: the export gives at most {held}; export again with --nbest {wanted}, or ask the run"
        )
