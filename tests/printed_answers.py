"""Comparison of what two ways to a model print, in which numbers may differ by rounding."""

import re

import pytest

_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")


def assert_same_answers(found: str, expected: str, *, tolerance: float = 1e-4) -> None:
    """Asserts that two outputs are equal, decimal numbers within a tolerance and everything else exactly.

    Two engines, or one model asked with batches of other shapes, sum in other orders, so the last printed digit may
    differ. The default tolerance is one unit of the last of four digits that the commands print.
    """
    assert _NUMBER.sub("#", found) == _NUMBER.sub("#", expected)
    numbers, expected_numbers = ([float(number) for number in _NUMBER.findall(text)] for text in (found, expected))
    assert numbers == pytest.approx(expected_numbers, abs=1.01 * tolerance)
