"""Predictors: a signature of a run, an export or a server, each a function from named arrays to named arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    """A signature that can be queried.

    Attributes:
        ask: From the signature's inputs, the batch first, to its outputs. Raises `BadRequest` if the inputs are at
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
        if inputs.keys() != set(names):
            raise UserError(f"the model takes {', '.join(names)}, got {', '.join(inputs)}")
        return function(*(tf.constant(inputs[name]) for name in names))

    return Predictor(of_graph(ask), "run", about, model)


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

    return Predictor(of_graph(ask), "export", about)


def of_server(client: Client, signature: str) -> Predictor:
    """The predictor of a server.

    Args:
        client: A connection to the model.
        signature: The signature to query.
    """

    def ask(inputs: Arrays) -> dict[str, np.ndarray]:
        return client.predict(inputs, signature=signature)

    return Predictor(ask, "server", {})


def of_graph(function: Callable[[Arrays], dict[str, Any]]) -> Callable[[Arrays], dict[str, np.ndarray]]:
    """A function of arrays, from one of tensors; inputs that the graph refuses raise `BadRequest`."""

    def ask(inputs: Arrays) -> dict[str, np.ndarray]:
        import tensorflow as tf

        try:
            return {name: value.numpy() for name, value in function(inputs).items()}
        except tf.errors.InvalidArgumentError as error:
            raise BadRequest(_reason(error.message)) from None

    return ask


def _reason(message: str) -> str:
    """The message of a graph's error, without the code locations that TensorFlow puts before it."""
    assertion = message.rfind("assertion failed:")
    return reason(message[assertion:] if assertion >= 0 else message.rpartition("unavailable>\n")[2])
