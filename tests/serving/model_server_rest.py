"""The REST side of the test double: TensorFlow Serving's paths, its JSON and its errors, in front of the same models.

Written from https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import binascii
import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.serving.failure import Failure, invalid

_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(:predict|/metadata)?", re.IGNORECASE)
_HTTP = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.UNIMPLEMENTED: 501,
}


def rest_server(servables) -> ThreadingHTTPServer:
    """An HTTP server on a free port; a thread a connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay open

        def do_POST(self):
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def do_GET(self):
            self._answer(None)

        def _answer(self, body: bytes | None):
            try:
                status, content = 200, self._found(body)
            except Failure as failure:
                status = _HTTP.get(failure.code, 500)
                content = written({"error": failure.message})
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _found(self, body: bytes | None) -> bytes:
            path = _PATH.fullmatch(self.path)
            if not path or (body is not None) != (path[3] == ":predict"):
                raise invalid(f"Malformed request: {self.command} {self.path}")
            model, version = path[1], int(path[2]) if path[2] else None
            if body is None:
                found = servables.metadata_json if path[3] else servables.status_json
                return written(found(model, version))
            return predicted(servables, model, version, body)

        def log_message(self, *arguments):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    return Server(("localhost", 0), Handler)


def predicted(servables, model: str, version: int | None, body: bytes) -> bytes:
    """The body of the answer to a `:predict` request."""
    try:
        question = json.loads(body.decode("utf-8", errors="surrogateescape"))
    except (ValueError, RecursionError) as error:
        raise invalid(f"JSON Parse error: {error}") from None
    if not isinstance(question, dict):
        raise invalid(f"JSON Value: {question} Is not object")
    signature = question.get("signature_name", "serving_default")
    if not isinstance(signature, str):
        raise invalid("'signature_name' key must be a string value.")
    expected = servables.find(model, version)[1].signature(signature).inputs
    if ("instances" in question) == ("inputs" in question):
        raise invalid("Missing 'inputs' or 'instances' key" if "inputs" not in question else "expecting only one of")
    by_row = "instances" in question
    columns = _columns(question["instances"], expected) if by_row else question["inputs"]
    if not by_row and (not isinstance(columns, dict) or _is_b64(columns)):
        if len(expected) > 1:
            raise invalid("inputs is a plain value/list, but expecting an object as multiple input tensors required")
        columns = {next(iter(expected)): columns}
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    if version is not None:
        request.model_spec.version.value = version
    for name, info in expected.items():
        if name not in columns:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        request.inputs[name].CopyFrom(tf.make_tensor_proto(_tensor(columns[name], tf.as_dtype(info.dtype))))
    outputs = {name: tf.make_ndarray(proto) for name, proto in servables.predict(request).outputs.items()}
    values = {name: _values(name, array) for name, array in outputs.items()}
    if not by_row:
        return written({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    if len({array.shape[:1] for array in outputs.values()}) != 1:
        raise invalid("inconsistent batch size")
    if len(values) == 1:
        return written({"predictions": next(iter(values.values()))})
    rows = zip(*values.values(), strict=True)
    return written({"predictions": [dict(zip(values, row, strict=True)) for row in rows]})


def _is_b64(value) -> bool:
    return isinstance(value, dict) and list(value) == ["b64"] and isinstance(value["b64"], str)


def _columns(instances, expected) -> dict:
    if not isinstance(instances, list) or not instances:
        raise invalid("Expecting 'instances' to be a list/array with values")
    if isinstance(instances[0], dict) and not _is_b64(instances[0]):
        for number, instance in enumerate(instances):
            if not isinstance(instance, dict) or set(instance) != set(expected):
                raise invalid(f"Failed to process element: {number}: keys must be equal to: {','.join(expected)}")
        return {name: [instance[name] for instance in instances] for name in expected}
    if len(expected) > 1:
        raise invalid("instances is a plain list, but expecting list of objects as multiple input tensors required")
    return {next(iter(expected)): instances}


def _tensor(value, dtype: tf.DType) -> np.ndarray:
    shape, first = [], value
    while isinstance(first, list):
        shape.append(len(first))
        first = first[0] if first else None
    flat = []

    def fill(value, level):
        if not isinstance(value, list):
            if level != len(shape):
                raise invalid(f"JSON Value: {value} found at incorrect level: {level + 1}")
            flat.append(_leaf(value, dtype))
            return
        if level >= len(shape) or len(value) != shape[level]:
            raise invalid(f"Encountered list at unexpected level: {level} or of unexpected size: {len(value)}")
        for part in value:
            fill(part, level + 1)

    fill(value, 0)
    array = np.empty(len(flat), object if dtype == tf.string else dtype.as_numpy_dtype)
    array[:] = flat
    return array.reshape(shape)


def _leaf(value, dtype: tf.DType):
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if dtype == tf.string and isinstance(value, str):
        return value.encode("utf-8", errors="surrogateescape")
    if dtype == tf.string and _is_b64(value):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error:
            raise invalid("Unable to base64 decode") from None
    if dtype == tf.bool and isinstance(value, bool):
        return value
    if dtype.is_floating and number:
        return value
    if dtype.is_integer and number and isinstance(value, int) and dtype.min <= value <= dtype.max:
        return value
    raise invalid(f"JSON Value: {value} Type: {type(value).__name__} is not of expected type: {dtype.name}")


def _values(name: str, array: np.ndarray):
    """Nested lists of what `written` knows: float32 as NumPy's, and strings as bytes or {"b64": ...}."""
    if isinstance(array, np.ndarray) and array.ndim:
        return [_values(name, part) for part in array]
    value = array[()] if isinstance(array, np.ndarray) else array
    if isinstance(value, bytes) and name.endswith("_bytes"):
        return {"b64": base64.b64encode(value).decode()}
    return value


def written(value) -> bytes:
    """JSON with TensorFlow Serving's numbers: six digits if they are enough, all if not, and NaN and Infinity."""
    if isinstance(value, dict):
        return b"{%s}" % b", ".join(written(name) + b": " + written(part) for name, part in value.items())
    if isinstance(value, list):
        return b"[%s]" % b", ".join(map(written, value))
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="surrogateescape")
    if isinstance(value, float | np.floating) and np.isfinite(value):
        text = f"{value:g}"
        if type(value)(text) != value:
            text = f"{value:.{9 if isinstance(value, np.float32) else 17}g}"
        return (text if "." in text or "e" in text else f"{text}.0").encode()
    if isinstance(value, np.generic):
        value = value.item()
    return json.dumps(value, ensure_ascii=False).encode("utf-8", errors="surrogateescape")
