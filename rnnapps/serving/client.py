"""Asking a model server that speaks TensorFlow Serving's protocols, without TensorFlow in the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from rnnapps.errors import UserError

if TYPE_CHECKING:
    import numpy as np

DEFAULT_SIGNATURE = "serving_default"
_LONGEST_MESSAGE = 300  # of what a server says; TensorFlow's errors go on with a trace of the graph


class ServerError(UserError):
    """A server that cannot be reached, does not know the model, or fails."""


class BadRequest(ServerError):
    """A request that the server refused: its inputs are at fault, and another request may well be answered."""


class Client(Protocol):
    """A connection to one model of one server. It is for one thread; make one for each."""

    def predict(
        self, inputs: Mapping[str, np.ndarray | Sequence], signature: str = DEFAULT_SIGNATURE
    ) -> dict[str, np.ndarray]:
        """Asks the model.

        Args:
            inputs: the signature's inputs by name: arrays of its dtypes, or nested lists of str or bytes.
            signature: which signature to ask.

        Returns:
            The outputs by name; strings as object arrays of bytes.

        Raises:
            BadRequest: the server refused the inputs.
            ServerError: no answer.
        """
        ...

    def close(self) -> None:
        """Closes the connection."""
        ...


def connect(url: str, model: str, *, version: int | None = None, timeout: float = 60.0) -> Client:
    """A client of a model behind TensorFlow Serving. Nothing is sent before the first `predict`.

    Args:
        url: `grpc://HOST:PORT` (8500 with TensorFlow Serving) or `http://HOST:PORT` (8501), also https.
        model: the name under which the server knows the model.
        version: which of the model's versions; None takes the server's newest.
        timeout: longest wait for an answer, in seconds.

    Raises:
        ServerError: the URL is none of these, or the package `tensorflow-serving-api` is missing.

    Example:
        >>> client = connect("http://localhost:8501", "sentiment")
        >>> client.predict({"text": ["A superb film."]})["label"]  # doctest: +SKIP
        array([b'positive'], dtype=object)

    Reference: https://www.tensorflow.org/tfx/serving/api_rest
    """
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("grpc", "http", "https") or not parts.hostname or (parts.scheme == "grpc" and not port):
        raise ServerError(f"--server {url}: not an address such as grpc://localhost:8500 or http://localhost:8501")
    if parts.scheme == "grpc":
        from rnnapps.serving.grpc_client import GrpcClient

        return GrpcClient(url, parts.netloc, model, version, timeout)
    from rnnapps.serving.rest_client import RestClient

    return RestClient(url, model, version, timeout)


def shortened(message: str) -> str:
    """The first line of what a server says, not too long."""
    line = message.strip().split("\n", 1)[0]
    return line if len(line) <= _LONGEST_MESSAGE else line[:_LONGEST_MESSAGE] + "…"


def unknown_model(url: str, model: str, version: int | None, message: str) -> ServerError:
    """What to say when the server does not find a model."""
    which = f"{model!r}" if version is None else f"{model!r} of version {version}"
    return ServerError(
        f"{url}: the server has no model {which} ({shortened(message)}); name one with --model and --model-version"
    )


def too_late(url: str, timeout: float) -> ServerError:
    """What to say when the answer does not come in time."""
    return ServerError(f"{url}: no answer within {timeout:g} s; give it more time with --timeout")
