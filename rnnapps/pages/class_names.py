"""The names of classes with their probabilities, even if a server names only the class of the answer."""

from __future__ import annotations

from collections.abc import Sequence


def named(probabilities: Sequence[float], classes: Sequence[str] | None, label: str) -> dict[str, float]:
    """The probabilities by the names of the classes.

    Args:
        probabilities: The probabilities of all classes, in order.
        classes: Their names; None if unknown.
        label: The name of the most probable class.

    Example:
        >>> named([0.25, 0.75], ["bad", "good"], "good")
        {'bad': 0.25, 'good': 0.75}
        >>> named([0.25, 0.75], None, "good")
        {'not good': 0.25, 'good': 0.75}
        >>> named([0.5, 0.25, 0.25], None, "cat")
        {'cat': 0.5, 'class 1': 0.25, 'class 2': 0.25}
    """
    count = len(probabilities)
    if classes is None:
        classes = [f"not {label}" if count == 2 else f"class {number}" for number in range(count)]
        classes[max(range(count), key=probabilities.__getitem__)] = label
    return dict(zip(classes, map(float, probabilities), strict=True))
