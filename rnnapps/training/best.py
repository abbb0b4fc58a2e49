"""Which epoch was the best, and whether it is time to stop."""

from __future__ import annotations

import dataclasses
import math
from typing import Literal


def better(value: float, than: float | None, mode: Literal["min", "max"]) -> bool:
    """True if `value` is finite and beats `than` (None: nothing to beat yet)."""
    if not math.isfinite(value):
        return False
    return than is None or (value < than if mode == "min" else value > than)


@dataclasses.dataclass
class Best:
    """The best epoch so far: early stopping waits for a better one.

    Of epochs that are equally good the last is the best: it has learned longer, mostly at a lower learning rate. Early
    stopping counts from the first of them.

    Attributes:
        value: The monitored value of the best epoch; None before there is one.
        epoch: Its number, from 1.
        wait: Epochs since the value was reached.
    """

    value: float | None = None
    epoch: int | None = None
    wait: int = 0

    def improved(self, epoch: int, value: float, mode: Literal["min", "max"]) -> bool:
        """Takes in the `value` of `epoch`; true if it is the best."""
        if better(value, self.value, mode):
            self.value, self.wait = value, 0
        else:
            self.wait += 1
            if value != self.value:
                return False
        self.epoch = epoch
        return True
