"""One number that makes two runs identical."""

from __future__ import annotations

import keras
import tensorflow as tf


def set_seed(seed: int) -> None:
    """Seeds Python, NumPy, TensorFlow and Keras; call it before the model is built.

    On a CPU the operations that our models train with give the same bits every time, so nothing else is needed. On a
    GPU some do not by default; there TensorFlow is told, for the rest of the process, to use the ones that do, at some
    cost in speed.

    Args:
        seed: Any integer from 0 to 2**32 - 1.

    Example:
        >>> set_seed(7)
        >>> first = keras.random.normal((2,))
        >>> set_seed(7)
        >>> bool(keras.ops.all(first == keras.random.normal((2,))))
        True
    """
    keras.utils.set_random_seed(seed)
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
