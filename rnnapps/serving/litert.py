"""LiteRT files: the numeric part of a model with weights of eight bits, run by TensorFlow's interpreter.

LiteRT has no strings and no hash tables, so the conversion of raw input to numbers is not part of the file.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from rnnapps.files import replacing
from rnnapps.recurrences import use_engine
from rnnapps.serving.inspection.answers import brief
from rnnapps.serving.versions import ExportError

MEASURED = 500  # most examples of the test split that accuracies are measured on, one by one


def convert(function: Callable[[tf.Tensor], tf.Tensor], spec: tf.TensorSpec, file: Path) -> None:
    """Writes a function as a LiteRT file with weights quantized to eight bits, and activations quantized as it runs.

    Args:
        function: Takes one tensor of numbers and returns one.
        spec: The spec of its input, a batch of 1. `Interpreter` takes any size of dimensions that are None.
        file: The file to write.

    Raises:
        ExportError: If LiteRT lacks operations; the message names them.
    """
    with use_engine("graph"):
        concrete = tf.function(function, autograph=False).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns about unused graph collections
    try:
        content = converter.convert()
    except Exception as error:  # the converter's own class is private, and it raises others as well
        unsupported = sorted(set(re.findall(r"tf\.([A-Z]\w+)", str(error))))
        reason = f"unsupported operations: {', '.join(unsupported)}" if unsupported else brief(error)
        raise ExportError(f"{file.name}: cannot be converted to LiteRT: {reason}") from None
    with replacing(file) as partial:
        partial.write_bytes(content)


class Interpreter:
    """A LiteRT file as a function.

    Args:
        file: A file that `convert` wrote.
    """

    def __init__(self, file: Path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow recommends a separate package for this
            self._interpreter = tf.lite.Interpreter(model_path=str(file))
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        self._shape: tuple[int, ...] | None = None

    def __call__(self, array: np.ndarray) -> np.ndarray:
        """The answer to one input of the file's dtype, with the batch dimension."""
        if array.shape != self._shape:
            self._interpreter.resize_tensor_input(self._input, array.shape)
            self._interpreter.allocate_tensors()
            self._shape = array.shape
        self._interpreter.set_tensor(self._input, array)
        self._interpreter.invoke()
        return self._interpreter.get_tensor(self._output)


def accuracy(answer: Callable[[np.ndarray], np.ndarray], inputs: Iterable[np.ndarray], labels: Iterable[int]) -> float:
    """The fraction of inputs, asked one by one, whose most probable class is the label."""
    return float(np.mean([np.argmax(answer(array)) == label for array, label in zip(inputs, labels, strict=True)]))
