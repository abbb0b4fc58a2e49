"""What an export offers under the name of a signature."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf


class Endpoint(NamedTuple):
    """One signature of an export.

    Attributes:
        function: Takes the inputs in order and returns the outputs by name.
        inputs: The named specs of the inputs. The first dimension of each is the batch, `None`.
    """

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: Sequence[tf.TensorSpec]
