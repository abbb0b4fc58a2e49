"""A client of TensorFlow Serving's REST interface; see `rnnapps.serving.connect`."""

from __future__ import annotations

import http.client
import json
import re
import ssl
from collections.abc import Mapping, Sequence
from urllib.parse import quote

import numpy as np

from rnnapps.serving.clients.address import without_password
from rnnapps.serving.clients.errors import BadAnswer, ServerError
from rnnapps.serving.clients.http_connection import HttpConnection, Response, TooLarge
from rnnapps.serving.clients.signatures import (
    DEFAULT_SIGNATURE,
    Signature,
    TensorSpec,
    as_tensors,
    check_outputs,
    numpy_dtype,
    rows,
)
from rnnapps.serving.clients.target import Target
from rnnapps.serving.inspection.columns import from_json, to_json

_ADVICE = {
    413: "the server refuses a request of this size; send fewer rows at once with --batch-size",
    **dict.fromkeys((502, 503, 504), "the server behind this address is down or busy; try again later"),
}


class RestClient:
    """A `rnnapps.serving.Client` over HTTP and JSON, in the columnar format.

    Args:
        target: The server and the model.
    """

    def __init__(self, target: Target):
        self._target = target
        self._connection = HttpConnection(target.address, target.timeout)
        version = "" if target.version is None else f"/versions/{target.version}"
        self._path = f"{target.address.path}/v1/models/{quote(target.model, safe='')}{version}"
        self._signatures: dict[str, dict] | None = None

    def predict(
        self, inputs: Mapping[str, np.ndarray | Sequence], signature: str = DEFAULT_SIGNATURE
    ) -> dict[str, np.ndarray]:
        """See `rnnapps.serving.Client.predict`."""
        up_to_date = self._signatures is None
        definition = self._signature(signature, inputs)
        try:
            tensors = as_tensors(inputs, definition.inputs)
        except ValueError as error:
            raise self._target.bad_request(error) from None
        columns = {name: to_json(tensor) for name, tensor in tensors.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}, ensure_ascii=False).encode()
        answer = self._ask("POST", ":predict", body)
        count = rows(tensors, definition.inputs)
        try:
            return self._outputs(answer, definition, count)
        except BadAnswer:
            if up_to_date:
                raise
        self._signatures = None  # the server may have loaded another version of the model since
        return self._outputs(answer, self._signature(signature, inputs), count)

    def close(self) -> None:
        """Closes the connection."""
        self._connection.close()

    def _signature(self, name: str, inputs: Mapping) -> Signature:
        if self._signatures is None:
            answer = self._ask("GET", "/metadata")
            try:
                self._signatures = _signatures(answer)
            except ValueError as error:
                raise self._target.no_model_server(f"{error} in its metadata") from None
        signatures = {key: definition["inputs"] for key, definition in self._signatures.items()}
        self._target.check_signature(name, inputs, signatures)
        definition = self._signatures[name]
        try:
            return Signature(*({key: _spec(key, spec) for key, spec in side.items()} for side in definition.values()))
        except ValueError as error:
            raise self._target.no_model_server(f"{error} in its metadata") from None

    def _outputs(self, answer: dict, definition: Signature, count: int | None) -> dict[str, np.ndarray]:
        specs = definition.outputs
        try:
            if answer.get("outputs") is None:
                raise ValueError("it has no 'outputs'")
            values = answer["outputs"]
            if len(specs) == 1:  # the server leaves the name of a single output out
                values = {next(iter(specs)): values}
            if not isinstance(values, dict):
                raise ValueError("its 'outputs' must be an object with a key for each output")
            outputs = {}
            for name, value in values.items():
                if name in specs:
                    outputs[name] = _tensor(name, value, specs[name])
                else:
                    raise ValueError(f"the output {name!r} is not in the signature")
            check_outputs(outputs, specs, count)
        except ValueError as error:
            raise self._target.bad_answer(error) from None
        return outputs

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._target.authorization:
            headers["Authorization"] = f"Basic {self._target.authorization}"
        try:
            response = self._connection.request(method, self._path + path, body, headers)
        except TimeoutError:
            raise self._target.too_late() from None
        except TooLarge:
            raise self._target.too_large() from None
        except ssl.SSLCertVerificationError as error:
            raise self._target.untrusted(error.verify_message) from None
        except (OSError, http.client.HTTPException) as error:
            message = str(getattr(error, "strerror", None) or error) or type(error).__name__
            raise self._target.unreachable(message, _hint(error)) from None
        return self._checked(response)

    def _checked(self, response: Response) -> dict:
        try:
            answer = _parsed(response.body)
        except ValueError as error:
            raise self._not_json(response, str(error)) from None
        if response.status == 200:
            return answer
        message = answer.get("error")
        if not isinstance(message, str):
            raise self._not_json(response, "no 'error' in its JSON")
        if response.status == 404:
            raise self._target.unknown(message)
        if response.status == 400:
            raise self._target.refused(message)
        raise self._target.failed(message, f"HTTP {response.status}")

    def _not_json(self, response: Response, problem: str) -> ServerError:
        status = f"HTTP {response.status} {response.phrase}".strip()
        if response.status in (301, 302, 303, 307, 308):
            place = without_password(response.headers.get("Location", "an unknown place"))
            return self._target.no_model_server(f"{status} to {place}")
        if response.status in (401, 403, 407):
            return self._target.error(
                f"the server asks for permission ({status}); give user and password in --server, "
                "as in https://USER:PASSWORD@HOST"
            )
        if advice := _ADVICE.get(response.status):
            return self._target.error(f"{advice} ({status})")
        return self._target.no_model_server(f"{status}, {problem}")


def _hint(error: Exception) -> str:
    if isinstance(error, http.client.BadStatusLine):
        return "is this the gRPC port, or one with TLS?"
    return "is this a port without TLS?" if isinstance(error, ssl.SSLError) else ""


def _parsed(body: bytes) -> dict:
    """The object that a body holds.

    Raises:
        ValueError: It is not JSON, not an object, or has a key twice.
    """
    try:  # strings that are not UTF-8 arrive as they are
        answer = json.loads(body.decode("utf-8", errors="surrogateescape"), object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("its JSON is nested too deep") from None
    except json.JSONDecodeError:
        raise ValueError("no JSON in its answer") from None
    if not isinstance(answer, dict):
        raise ValueError("its JSON must be an object")
    return answer


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names: set[str] = set()
        for name, _ in pairs:
            if name in names:
                raise ValueError(f"{name!r} appears twice in its JSON")
            names.add(name)
    return found


def _tensor(name: str, value: object, spec: TensorSpec) -> np.ndarray:
    try:
        return from_json(value, spec.dtype, spec.shape)
    except ValueError as error:
        raise ValueError(f"output {name!r} {error}") from None


def _signatures(answer: dict) -> dict[str, dict[str, dict]]:
    """The inputs and outputs of each signature, as the metadata have them.

    Raises:
        ValueError: The metadata are not TensorFlow Serving's.
    """
    found = answer
    for key in ("metadata", "signature_def", "signature_def"):
        found = _object(_object(found, "the answer").get(key), key)
    sides = ("inputs", "outputs")
    return {
        name: {side: _object(_object(signature, name).get(side, {}), side) for side in sides}
        for name, signature in found.items()
    }


def _object(value: object, name: str) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"no object {name!r}")
    return value


def _spec(name: str, info: object) -> TensorSpec:
    info = _object(info, name)
    dtype = numpy_dtype(info.get("dtype"))
    shape = _object(info.get("tensor_shape"), "tensor_shape")
    if shape.get("unknown_rank") is True:
        return TensorSpec(dtype, None)
    dimensions = shape.get("dim", [])
    if not isinstance(dimensions, list):
        raise ValueError(f"no list 'dim' of {name!r}")
    return TensorSpec(dtype, tuple(_size(_object(dimension, "dim").get("size")) for dimension in dimensions))


def _size(size: object) -> int | None:
    if not re.fullmatch(r"-?[0-9]{1,19}", str(size)):  # 64 bits are strings in protobuf's JSON
        raise ValueError(f"no number 'size' but {str(size)[:20]!r}")
    number = int(str(size))
    return None if number < 0 else number
