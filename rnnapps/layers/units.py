"""The check of a width."""

from numbers import Integral


def positive_units(units: object, name: str = "units") -> int:
    """A number of units as an `int`.

    Raises:
        ValueError: It is not a positive integer; the message calls it `name`.
    """
    if not isinstance(units, Integral) or units <= 0:
        raise ValueError(f"`{name}` must be a positive integer, got {units!r}")
    return int(units)
