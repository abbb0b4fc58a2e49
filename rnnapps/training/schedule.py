"""How the learning rate changes while training: by step (constant, cosine) or by result (reduce on plateau)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import keras

from rnnapps.training.best import better

SCHEDULES = ("constant", "cosine", "plateau")


def learning_rate_schedule(
    name: str, learning_rate: float, *, total_steps: int | None = None, warmup_steps: int = 0
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Makes what a Keras optimizer takes as its learning rate.

    Args:
        name: `"constant"`; `"cosine"`: up from 0 in a straight line over `warmup_steps` steps, then down to 0 along
            half a cosine, reached at `total_steps`; `"plateau"`: starts as constant, and `fit(reduce_on_plateau=...)`
            lowers it.
        learning_rate: The highest value.
        total_steps: Steps of the whole training, warm-up included. Needed for `"cosine"`.
        warmup_steps: Recurrent networks that start at a high learning rate benefit from a few hundred. Only for
            `"cosine"`.

    Returns:
        The learning rate itself, or a schedule.

    Raises:
        ValueError: Unknown name, or steps that do not fit the schedule.

    Example:
        >>> cosine = learning_rate_schedule("cosine", 0.01, total_steps=110, warmup_steps=10)
        >>> [round(float(cosine(step)), 4) for step in (0, 5, 10, 60, 110)]
        [0.0, 0.005, 0.01, 0.005, 0.0]

    Reference: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts" (2017), equation 5 without
    restarts; warm-up as in Goyal et al., "Accurate, large minibatch SGD" (2017), section 2.2.
    """
    if name not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(SCHEDULES)}, got {name!r}")
    if not learning_rate > 0:
        raise ValueError(f"learning_rate must be above 0, got {learning_rate}")
    if name != "cosine":
        if warmup_steps:
            raise ValueError(f"warmup_steps={warmup_steps} needs schedule 'cosine', got {name!r}")
        return float(learning_rate)
    if total_steps is None or not 0 <= warmup_steps < total_steps:
        raise ValueError(
            "schedule 'cosine' needs total_steps above warmup_steps >= 0, "
            f"got total_steps={total_steps}, warmup_steps={warmup_steps}"
        )
    if not warmup_steps:
        return keras.optimizers.schedules.CosineDecay(learning_rate, decay_steps=total_steps)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0,
        decay_steps=total_steps - warmup_steps,
        warmup_target=learning_rate,
        warmup_steps=warmup_steps,
    )


@dataclasses.dataclass(frozen=True)
class ReduceOnPlateau:
    """Multiplies the learning rate by `factor` whenever the monitored value has not improved for `patience` epochs.

    Args:
        factor: Between 0 and 1. 0.5 is gentle enough to follow a noisy validation loss.
        patience: Epochs without improvement before a reduction; should be less than the patience of early stopping.
        minimum: The learning rate is never reduced below this.
    """

    factor: float = 0.5
    patience: int = 1
    minimum: float = 1e-6

    def __post_init__(self) -> None:
        if not 0 < self.factor < 1:
            raise ValueError(f"factor must be between 0 and 1, got {self.factor}")
        if self.patience < 1:
            raise ValueError(f"patience must be at least 1, got {self.patience}")
        if not self.minimum >= 0:
            raise ValueError(f"minimum must not be negative, got {self.minimum}")

    def lower(self, rate: float) -> float:
        """The next learning rate; one that is below `minimum` stays as it is."""
        return max(rate * self.factor, min(self.minimum, rate))


@dataclasses.dataclass
class Plateau:
    """For how many epochs the monitored value has not improved since `ReduceOnPlateau` last acted."""

    best: float | None = None
    wait: int = 0

    def reduce(self, rule: ReduceOnPlateau, value: float, mode: Literal["min", "max"]) -> bool:
        """Counts one epoch that ended with `value`; true if the learning rate is to be reduced now."""
        if better(value, self.best, mode):
            self.best, self.wait = value, 0
            return False
        self.wait += 1
        if self.wait < rule.patience:
            return False
        self.wait = 0
        return True
