"""Who answers: a signature of a run, of an export or of a server, each a function from named arrays to named arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rnnapps.errors import UserError
from rnnapps.serving.clients.errors import BadRequest, reason

if TYPE_CHECKING:
    import keras

    from rnnapps.serving import Client, Endpoint

Arrays = Mapping[str, np.ndarray]


class Predictor(NamedTuple):
    """A signature that can be asked.

    Attributes:
        ask: From the signature's inputs, the batch first, to its outputs. Raises `BadRequest` where the inputs are at
            fault.
        kind: "run", "export" or "server".
        about: What is known about the model, such as its classes; empty for a server.
        model: The model of a run; else None.
    """

    ask: Callable[[Arrays], dict[str, np.ndarray]]
    kind: str
    about: Mapping[str, Any]
    model: keras.Model | None = None


def of_endpoint(endpoint: Endpoint, about: Mapping[str, Any], model: keras.Model) -> Predictor:
    """The predictor of a run: an endpoint of its model, compiled once for every size of batch."""
    import tensorflow as tf

    function = tf.function(endpoint.function, input_signature=endpoint.inputs, autograph=False)
    names = [spec.name for spec in endpoint.inputs]

    def ask(inputs: Arrays) -> dict[str, tf.Tensor]:
        return function(*(tf.constant(inputs[name]) for name in names))

    return Predictor(_of_graph(ask), "run", about, model)


def of_export(export: Path, signature: str) -> Predictor:
    """The predictor of an export, or of one version of it.

    Raises:
        ExportError: There is no export with such a signature.
    """
    import tensorflow as tf

    from rnnapps import serving

    function = serving.load(export, signature)
    about = serving.metadata(export)

    def ask(inputs: Arrays) -> dict[str, tf.Tensor]:
        return function(**{name: tf.constant(value) for name, value in inputs.items()})

    return Predictor(_of_graph(ask), "export", about)


def of_server(client: Client, signature: str, outputs: Sequence[str], name: str) -> Predictor:
    """The predictor of a server.

    Args:
        client: A connection to the model.
        signature: The signature to ask.
        outputs: The outputs that the model must have.
        name: What to call the server in an error message.
    """

    def ask(inputs: Arrays) -> dict[str, np.ndarray]:
        answers = client.predict(inputs, signature=signature)
        if missing := [output for output in outputs if output not in answers]:
            raise UserError(f"{name}: another kind of model, it has no output {missing[0]!r}; name one with --model")
        return answers

    return Predictor(ask, "server", {})


def _of_graph(function: Callable[[Arrays], dict[str, Any]]) -> Callable[[Arrays], dict[str, np.ndarray]]:
    def ask(inputs: Arrays) -> dict[str, np.ndarray]:
        import tensorflow as tf

        try:
            return {name: value.numpy() for name, value in function(inputs).items()}
        except tf.errors.InvalidArgumentError as error:
            raise BadRequest(_reason(error.message)) from None

    return ask


def _reason(message: str) -> str:
    """What a graph refused, without the places in the code that TensorFlow puts before it."""
    assertion = message.rfind("assertion failed:")
    return reason(message[assertion:] if assertion >= 0 else message.rpartition("unavailable>\n")[2])


def batch(rows: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Puts the inputs of several rows together, the batch first.

    Strings become an array of objects. Sequences of numbers of different lengths are padded with NaN at the end.

    Example:
        >>> batch([{"history": [1.0, 2.0], "start": "a"}, {"history": [3.0], "start": "b"}])["history"].tolist()
        [[1.0, 2.0], [3.0, nan]]
    """
    return {name: _column([row[name] for row in rows]) for name in rows[0]}


def _column(values: Sequence[Any]) -> np.ndarray:
    if isinstance(values[0], str | bytes):
        column = np.empty(len(values), object)
        column[:] = values
        return column
    arrays = [np.asarray(value) for value in values]
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    padded = np.full((len(arrays), max(map(len, arrays)), *arrays[0].shape[1:]), np.nan, np.float32)
    for row, array in zip(padded, arrays, strict=True):
        row[: len(array)] = array
    return padded


def rows_of(outputs: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The outputs of a signature row by row: numbers as Python has them, strings as bytes."""
    columns = {name: np.asarray(value).tolist() for name, value in outputs.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
