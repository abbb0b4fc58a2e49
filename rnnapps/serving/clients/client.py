"""Asking a model server that speaks TensorFlow Serving's protocols, without TensorFlow in the process."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol
from urllib.parse import SplitResult, urlsplit

from rnnapps.errors import UserError

if TYPE_CHECKING:
    import numpy as np

DEFAULT_SIGNATURE = "serving_default"
_PORTS = {"grpc": 8500, "http": 8501, "https": 8501}
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
            ServerError: no answer, or the model has no such signature, or the signature takes other inputs.
        """
        ...

    def close(self) -> None:
        """Closes the connection."""
        ...


def connect(url: str, model: str, *, version: int | None = None, timeout: float = 60.0) -> Client:
    """A client of a model behind TensorFlow Serving. Nothing is sent before the first `predict`.

    Args:
        url: `grpc://HOST:PORT` (8500 with TensorFlow Serving) or `http://HOST:PORT` (8501), also https, which needs no
            port. A path before `/v1` is that of a proxy.
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
    parts = _address(url)
    if parts.scheme == "grpc":
        from rnnapps.serving.clients.grpc import GrpcClient

        return GrpcClient(url, parts.netloc, model, version, timeout)
    from rnnapps.serving.clients.rest import RestClient

    return RestClient(url, model, version, timeout)


def _address(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in _PORTS or not parts.hostname:
        raise ServerError(f"--server {url}: not an address such as grpc://localhost:8500 or http://localhost:8501")
    if not port and parts.scheme != "https":
        host = f"{parts.scheme}://{parts.netloc.rstrip(':')}"
        raise ServerError(f"--server {url}: no port; TensorFlow Serving's is {host}:{_PORTS[parts.scheme]}")
    proxy, path, _ = parts.path.partition("/v1")
    if path or (parts.scheme == "grpc" and proxy.strip("/")):
        address = f"{parts.scheme}://{parts.netloc}{proxy if path else ''}"
        raise ServerError(f"--server {url}: give the address only, {address}, and the model's name with --model")
    return parts


def shortened(message: str) -> str:
    """The first line of what a server says, not too long, without what a terminal cannot show."""
    line = " ".join(message.strip().split("\n", 1)[0].split())
    line = "".join(character for character in line if character.isprintable())
    if found := re.search(r"assertion failed: \[(.*)\]", line):  # TensorFlow puts each part in brackets
        line = " ".join(found[1].replace("] [", " ").split())
    return line[:_LONGEST_MESSAGE] + "…" * (len(line) > _LONGEST_MESSAGE) or "it does not say why"


def check_inputs(
    url: str, model: str, signature: str, inputs: Collection[str], signatures: Mapping[str, Collection[str]]
) -> None:
    """Raises `ServerError` where a model has no such signature or its signature takes other inputs: no row is at fault.

    Args:
        url: the server.
        model: the name of the model.
        signature: the name of the signature.
        inputs: the names of the inputs that it is to be asked with.
        signatures: the names of the inputs that each of the model's signatures takes.
    """
    if signature not in signatures:
        known = ", ".join(name for name in signatures if not name.startswith("__"))
        raise ServerError(f"{url}: the model {model!r} has no signature {signature!r}; it has {known}")
    if set(inputs) != set(signatures[signature]):
        wanted, given = (", ".join(sorted(names)) or "none" for names in (signatures[signature], inputs))
        raise ServerError(
            f"{url}: another kind of model, {model!r} takes the inputs {wanted} and not {given}; name one with --model"
        )


def unknown_model(url: str, model: str, version: int | None, message: str) -> ServerError:
    """What to say when the server does not find a model."""
    which = f"{model!r}" if version is None else f"{model!r} of version {version}"
    return ServerError(
        f"{url}: the server has no model {which} ({shortened(message)}); name one with --model and --model-version"
    )


def too_late(url: str, timeout: float) -> ServerError:
    """What to say when the answer does not come in time."""
    return ServerError(f"{url}: no answer within {timeout:g} s; give it more time with --timeout")
