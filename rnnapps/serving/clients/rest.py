"""A client of TensorFlow Serving's REST interface; see `rnnapps.serving.connect`."""

import base64
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote, urlsplit

import numpy as np

from rnnapps.serving.clients.client import (
    DEFAULT_SIGNATURE,
    BadRequest,
    ServerError,
    check_inputs,
    shortened,
    too_late,
    unknown_model,
)

# The types of REST's metadata; JSON itself tells neither float from double nor what an empty list holds.
_DTYPES = {"DT_FLOAT": np.float32, "DT_DOUBLE": np.float64, "DT_HALF": np.float16, "DT_BOOL": np.bool_}
_DTYPES |= {"DT_STRING": object, "DT_UINT8": np.uint8, "DT_UINT16": np.uint16, "DT_UINT32": np.uint32}
_DTYPES |= {"DT_UINT64": np.uint64, "DT_INT8": np.int8, "DT_INT16": np.int16, "DT_INT32": np.int32}
_DTYPES |= {"DT_INT64": np.int64}


class RestClient:
    """A `rnnapps.serving.Client` over HTTP and JSON, in the columnar format."""

    def __init__(self, url: str, model: str, version: int | None, timeout: float):
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, parts.port, timeout=timeout)
        self._path = f"{parts.path.rstrip('/')}/v1/models/{quote(model, safe='')}"
        self._path += "" if version is None else f"/versions/{version}"
        self._url, self._model, self._version, self._timeout = url, model, version, timeout
        self._signatures = None

    def predict(
        self, inputs: Mapping[str, np.ndarray | Sequence], signature: str = DEFAULT_SIGNATURE
    ) -> dict[str, np.ndarray]:
        outputs = self._outputs(signature, inputs)
        question = {"signature_name": signature, "inputs": {name: _to_json(value) for name, value in inputs.items()}}
        found = self._ask("POST", ":predict", json.dumps(question, ensure_ascii=False).encode())["outputs"]
        if len(outputs) == 1:  # the server leaves the name of a single output out
            found = {next(iter(outputs)): found}
        return {name: _from_json(value, outputs[name]) for name, value in found.items()}

    def close(self) -> None:
        self._connection.close()

    def _outputs(self, signature: str, inputs: Mapping) -> dict[str, type]:
        """The dtypes of a signature's outputs, if it takes these inputs."""
        if self._signatures is None:
            found = self._ask("GET", "/metadata")
            self._signatures = found["metadata"]["signature_def"]["signature_def"]
        known = {name: found.get("inputs", ()) for name, found in self._signatures.items()}
        check_inputs(self._url, self._model, signature, inputs, known)
        outputs = self._signatures[signature]["outputs"]
        return {name: _DTYPES[output["dtype"]] for name, output in outputs.items()}

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict:
        used = self._connection.sock is not None
        try:
            status, content = self._send(method, path, body)
        except TimeoutError:
            self.close()
            raise too_late(self._url, self._timeout) from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if used:  # a server may close a connection that has waited for long
                return self._ask(method, path, body)
            why = str(getattr(error, "strerror", None) or error) or type(error).__name__
            hint = "; is this the gRPC port?" if isinstance(error, http.client.BadStatusLine) else ""
            raise ServerError(f"{self._url}: no model server answers there ({shortened(why)}){hint}") from None
        try:  # text that is no UTF-8 comes as it is
            answer = json.loads(content.decode("utf-8", errors="surrogateescape"))
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or (status != 200 and not isinstance(answer.get("error"), str)):
            raise ServerError(f"{self._url}: no TensorFlow Serving: HTTP {status} without its JSON")
        if status == 404:
            raise unknown_model(self._url, self._model, self._version, answer["error"])
        if status == 400:
            raise BadRequest(f"{self._url}: the server refuses the request: {shortened(answer['error'])}")
        if status != 200:
            raise ServerError(f"{self._url}: the server failed: {shortened(answer['error'])} (HTTP {status})")
        return answer

    def _send(self, method: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._connection.sock is None:
            self._connection.connect()
        with _deadline(self._connection.sock, self._timeout):
            self._connection.request(method, self._path + path, body, headers)
            response = self._connection.getresponse()
            return response.status, response.read()


@contextlib.contextmanager
def _deadline(connected: socket.socket, seconds: float) -> Iterator[None]:
    """Ends a conversation in time; a socket's own timeout begins anew with every byte that comes.

    Raises:
        TimeoutError: it took longer.
    """
    late = threading.Event()

    def stop():
        late.set()
        with contextlib.suppress(OSError):
            socket.socket.shutdown(connected, socket.SHUT_RDWR)  # and not TLS's, which is no matter for two threads

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except (OSError, http.client.HTTPException):
        if not late.is_set():
            raise
    finally:
        timer.cancel()
    if late.is_set():  # an answer without a length ends with the connection, as if it were whole
        raise TimeoutError


def _to_json(value):
    """Lists for arrays, `{"b64": ...}` for bytes."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return [_to_json(part) for part in value] if isinstance(value, list | tuple) else value


def _from_json(value, dtype: type) -> np.ndarray:
    return np.array(_bytes(value) if dtype is object else value, dtype=dtype)


def _bytes(value):
    if isinstance(value, list):
        return [_bytes(part) for part in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode("utf-8", errors="surrogateescape")
