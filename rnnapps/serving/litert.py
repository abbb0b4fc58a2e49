"""Smaller exports: a model's numeric part as a LiteRT file with weights of eight bits, run by TensorFlow's interpreter.

LiteRT has no strings and no hash tables, so what turns raw input into numbers stays outside.
"""

import logging
import os
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf

from rnnapps.recurrences import use_engine
from rnnapps.serving.versions import ExportError

MEASURED = 500  # most examples of the test split that accuracies are measured on, one by one


def convert(function: Callable[[tf.Tensor], tf.Tensor], spec: tf.TensorSpec, file: Path) -> None:
    """Writes a function as a LiteRT file; weights are quantized to eight bits, activations as they come.

    Args:
        function: from one tensor of numbers to one.
        spec: of its input; a batch of 1. What varies is given to `Interpreter` as it is.
        file: what to write.

    Raises:
        ExportError: if LiteRT lacks operations; the message names them.
    """
    with use_engine("graph"):
        concrete = tf.function(function, autograph=False).get_concrete_function(spec)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of graph collections that nobody uses
    try:
        content = converter.convert()
    except Exception as error:  # the converter's own class is private, and not everything that it raises is of it
        lacking = sorted(set(re.findall(r"tf\.([A-Z]\w+)", str(error)))) or [str(error).strip().splitlines()[-1]]
        raise ExportError(f"cannot be converted to LiteRT: in the way stands {', '.join(lacking)}") from None
    beside = file.with_name(f".{file.name}")
    beside.write_bytes(content)
    os.replace(beside, file)


class Interpreter:
    """A LiteRT file as a function.

    Args:
        file: what `convert` wrote.
    """

    def __init__(self, file: Path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TensorFlow recommends a package of its own for this
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
    """The fraction of inputs, one by one, whose most probable class is the label."""
    return float(np.mean([np.argmax(answer(one)) == label for one, label in zip(inputs, labels, strict=True)]))
