"""The options that say how to train; the same in every application, except for the defaults."""

import dataclasses

from rnnapps.cluster import STRATEGIES
from rnnapps.options import option


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """Optimisation, stopping and checkpoints; see `rnnapps.training`."""

    epochs: int = option(10, "Maximum number of epochs; early stopping may end sooner.", minimum=1)
    batch_size: int = option(32, "Examples per training step, over all devices.", minimum=1)
    learning_rate: float | None = option(
        None, "Learning rate of Adam; 1e-3 to 1e-2 is usual.", above=0, missing="0.001"
    )
    schedule: str = option(
        "cosine",
        "Learning rate over time: constant, cosine decay after a warm-up, or halved when validation stalls.",
        choices=("constant", "cosine", "plateau"),
    )
    clip_norm: float = option(5.0, "Bound on the global norm of the gradient.", above=0)
    averaging: float = option(
        0.0,
        "Decay of a moving average of the weights, which is evaluated and saved; 0: no average.",
        minimum=0,
        below=1,
    )
    patience: int = option(
        3, "Epochs without a better result on the validation split before training stops.", minimum=1
    )
    checkpoint_every: int = option(
        200, "Steps between checkpoints; a killed run loses at most this many.", minimum=1, metavar="STEPS"
    )
    gradient_flow: bool = option(False, "Measure and draw the gradient of every time step after each epoch.")
    strategy: str = option(
        "auto",
        "Devices to train on: one, all GPUs of this machine, or the machines in TF_CONFIG; auto: all available.",
        choices=STRATEGIES,
    )

    @property
    def initial_learning_rate(self) -> float:
        """The learning rate that training begins with; a task may derive it from its other options."""
        return self.learning_rate or 1e-3


# Options that do not change the result: a resumed run may change them.
CHANGEABLE = ("checkpoint_every", "gradient_flow", "strategy")
