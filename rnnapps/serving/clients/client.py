"""Asking a model server that speaks TensorFlow Serving's protocols, without TensorFlow in the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from rnnapps.serving.clients.address import parse_address
from rnnapps.serving.clients.errors import ServerError
from rnnapps.serving.clients.target import Target

if TYPE_CHECKING:
    import numpy as np

_LARGEST_VERSION = 2**63 - 1


class Client(Protocol):
    """A connection to one model of one server. It is for one thread; make one for each."""

    def predict(
        self, inputs: Mapping[str, np.ndarray | Sequence], signature: str = "serving_default"
    ) -> dict[str, np.ndarray]:
        """Asks the model.

        Args:
            inputs: The signature's inputs by name: arrays, or nested lists of numbers, str or bytes. Numbers are cast
                to the signature's dtype where that loses nothing but precision.
            signature: Which signature to ask.

        Returns:
            The outputs by name; strings as object arrays of bytes. Names, dtypes and shapes are the signature's. Where
            the signature takes a batch, each output that is a batch has as many rows.

        Raises:
            BadRequest: The inputs are at fault: they do not fit the signature, or the server refused them.
            BadAnswer: The answer does not fit the signature.
            ServerError: No answer, or the model has no such signature, or the signature takes other inputs.
        """
        ...

    def close(self) -> None:
        """Closes the connection."""
        ...


def connect(url: str, model: str, *, version: int | None = None, timeout: float = 60.0) -> Client:
    """Makes a client of a model behind TensorFlow Serving. Nothing is sent before the first `predict`.

    With TLS the server's certificate must be signed by an authority that the system (for grpcs: gRPC) knows, or by one
    of the file that the environment variable `SSL_CERT_FILE` names.

    Args:
        url: `grpc://HOST:PORT` (8500 with TensorFlow Serving) or `http://HOST:PORT` (8501); `grpcs` and `https` are the
            same with TLS and need no port. `http` and `https` take `USER:PASSWORD@` before the host, for a proxy with
            basic authentication, and the path of a proxy behind it.
        model: The name under which the server knows the model.
        version: Which of the model's versions; None takes the server's newest.
        timeout: Longest wait for an answer, in seconds.

    Returns:
        The client.

    Raises:
        ServerError: The URL is none of these, or the package `tensorflow-serving-api` is missing.

    Example:
        >>> client = connect("http://localhost:8501", "sentiment")
        >>> client.predict({"text": ["A superb film."]})["label"]  # doctest: +SKIP
        array([b'positive'], dtype=object)

    Reference: https://www.tensorflow.org/tfx/serving/api_rest
    """
    address = parse_address(url)
    if not model or not model.isprintable():
        raise ServerError(f"--model must be a name that the server knows, got {model!a}")
    if version is not None and not 0 <= version <= _LARGEST_VERSION:
        raise ServerError(f"--model-version must be from 0 to {_LARGEST_VERSION}, got {version}")
    target = Target(address, model, version, timeout)
    if address.scheme.startswith("grpc"):
        from rnnapps.serving.clients.grpc import GrpcClient

        return GrpcClient(target)
    from rnnapps.serving.clients.rest import RestClient

    return RestClient(target)
