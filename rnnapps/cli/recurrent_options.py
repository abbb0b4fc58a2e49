"""The options of a model with recurrent layers. Applications subclass them, with their own defaults."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from rnnapps.cells import CELL_NAMES
from rnnapps.options import option


@dataclasses.dataclass(frozen=True)
class RecurrentOptions:
    """Cell, size and regularisation of recurrent layers; see `rnnapps.layers`."""

    cell: str = option(
        "lstm",
        "Recurrent cell: lstm for long dependencies, gru for fewer weights, rnn for short sequences.",
        choices=CELL_NAMES,
    )
    units: int = option(128, "Width of a recurrent layer; 128 to 512 is usual.", minimum=1)
    layers: int = option(1, "Number of recurrent layers.", minimum=1, maximum=3)
    dropout: float = option(0.3, "Dropout on the inputs of each layer; 0.2 to 0.5 is usual.", minimum=0, below=1)
    recurrent_dropout: float = option(0.0, "Dropout on the state between steps.", minimum=0, below=1)
    l2: float = option(0.0, "L2 penalty on the weights of the recurrent layers.", minimum=0)
    truncate: int | None = option(
        None, "Truncated backpropagation: number of steps after which the gradient stops.", minimum=1, missing="never"
    )

    def layer_arguments(self, *, without: Sequence[str] = ()) -> dict[str, Any]:
        """The options that `rnnapps.layers.recurrent_layer` takes, without some: all but the number of layers."""
        names = ("cell", "units", "l2", "dropout", "recurrent_dropout", "truncate")
        return {name: getattr(self, name) for name in names if name not in without}
