"""The exceptions that a command line tells in one line: a user's mistake, and a stop that the user asked for."""


class UserError(Exception):
    """A mistake that the user can fix: one line that names what is wrong, where, and how to fix it.

    The command line prints it without a traceback and exits with code 2.

    Example:
        >>> raise UserError("reviews.csv: no column 'label'; it has text, stars: use --label-column stars")
        Traceback (most recent call last):
        ...
        rnnapps.errors.UserError: reviews.csv: no column 'label'; it has text, stars: use --label-column stars
    """


class Stopped(Exception):
    """Work that was asked to stop (Ctrl-C, SIGTERM) and did, with everything saved; the message says how to go on."""
