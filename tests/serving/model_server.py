"""Servers to test clients against: a test double of TensorFlow Serving, and the real one where it is installed.

The double is not TensorFlow Serving. It answers the same requests of the same protocols (gRPC `PredictionService` and
`ModelService` from the official protos, and the REST paths of TensorFlow Serving's documentation, with its formats,
errors and HTTP codes) from SavedModels that it loads into this process with TensorFlow.
"""

import contextlib
import functools
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent import futures
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from tests.serving.failure import Failure, invalid
from tests.serving.model_server_rest import rest_server

KINDS = ("double", *(["tensorflow_model_server"] if shutil.which("tensorflow_model_server") else []))
ANY_SIZE = -1


class Addresses(NamedTuple):
    """Where a server listens."""

    grpc: str
    rest: str


@contextlib.contextmanager
def serve(
    models: Mapping[str, Path], kind: str = "double", *, largest_request: int = ANY_SIZE, threads: int = 16
) -> Iterator[Addresses]:
    """Serves every version of some SavedModels until the context ends.

    Args:
        models: each model's folder of versions, by the name it is served under.
        kind: "double" or "tensorflow_model_server".
        largest_request: gRPC's limit in bytes, of the double.
        threads: of the double's gRPC server.
    """
    if kind == "tensorflow_model_server":
        with _real_server(models) as addresses:
            yield addresses
        return
    servables = Servables(models)
    options = [("grpc.max_receive_message_length", largest_request), ("grpc.max_send_message_length", ANY_SIZE)]
    grpc_server = grpc.server(futures.ThreadPoolExecutor(threads), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_PredictionService(servables), grpc_server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(_ModelService(servables), grpc_server)
    port = grpc_server.add_insecure_port("localhost:0")
    grpc_server.start()
    rest = rest_server(servables)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    try:
        yield Addresses(f"grpc://localhost:{port}", f"http://localhost:{rest.server_address[1]}")
    finally:
        rest.shutdown()
        rest.server_close()
        grpc_server.stop(grace=None).wait()


@contextlib.contextmanager
def _real_server(models: Mapping[str, Path]) -> Iterator[Addresses]:
    ports = [_free_port(), _free_port()]
    config = "".join(
        f'config {{ name: "{name}" base_path: "{Path(path).resolve()}" model_platform: "tensorflow"'
        " model_version_policy { all {} } }\n"
        for name, path in models.items()
    )
    file = next(iter(models.values())).parent / "models.config"
    file.write_text(f"model_config_list {{ {config} }}")
    command = ["tensorflow_model_server", f"--port={ports[0]}", f"--rest_api_port={ports[1]}"]
    process = subprocess.Popen([*command, f"--model_config_file={file}"], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("localhost", ports[1]), timeout=1):
                break
            time.sleep(0.1)
        yield Addresses(f"grpc://localhost:{ports[0]}", f"http://localhost:{ports[1]}")
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


class Servable:
    """One version of a model."""

    def __init__(self, folder: Path):
        self._model = tf.saved_model.load(str(folder), tags=["serve"])
        saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
        self.signatures = {
            name: signature
            for name, signature in saved.meta_graphs[0].signature_def.items()
            if not name.startswith("__saved_model_init")
        }

    def signature(self, name: str):
        if (name or "serving_default") not in self.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return self.signatures[name or "serving_default"]

    def predict(self, signature: str, inputs: Mapping) -> dict:
        expected = self.signature(signature).inputs
        if set(inputs) != set(expected):
            raise invalid(
                f"input size does not match signature: {len(inputs)}!={len(expected)}"
                f" Sent extra: {{{','.join(set(inputs) - set(expected))}}}."
                f" Missing but required: {{{','.join(set(expected) - set(inputs))}}}."
            )
        function = self._model.signatures[signature or "serving_default"]
        try:
            tensors = {name: tf.constant(_ndarray(name, proto)) for name, proto in inputs.items()}
            for name, tensor in tensors.items():
                if tensor.dtype.as_datatype_enum != expected[name].dtype:
                    wanted = tf.as_dtype(expected[name].dtype).name
                    raise invalid(f"Expects {name} to be {wanted} but {tensor.dtype.name} is provided")
            found = function(**tensors)
        except tf.errors.OpError as error:
            # TensorFlow's Python puts its own preface before what the C++ of both says.
            raise Failure(_CODES[error.error_code], error.message.rpartition("unavailable>\n")[2]) from None
        except (TypeError, ValueError) as error:
            raise invalid(str(error)) from None
        return {name: _proto(np.asarray(tensor)) for name, tensor in found.items()}


_CODES = {code.value[0]: code for code in grpc.StatusCode}


def _ndarray(name: str, proto) -> np.ndarray:
    try:
        return tf.make_ndarray(proto)
    except (TypeError, ValueError):
        raise invalid(f"tensor parsing error: {name}") from None


_FIELDS = {"f": "float_val", "i": "int_val", "u": "int_val", "b": "bool_val", "O": "string_val"}
_FIELDS |= {"float64": "double_val", "float16": "half_val", "int64": "int64_val"}


def _proto(array: np.ndarray):
    """Values one by one, as TensorFlow Serving sends them unless told otherwise."""
    proto = tf.make_tensor_proto(np.zeros(0, array.dtype if array.dtype != object else "S1"))
    del proto.tensor_shape.dim[:]
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    values = array.view(np.uint16) if array.dtype == np.float16 else array
    field = _FIELDS.get(array.dtype.name) or _FIELDS[array.dtype.kind]
    getattr(proto, field).extend(values.reshape(-1).tolist())
    return proto


class Servables:
    """The versions of all models."""

    def __init__(self, models: Mapping[str, Path]):
        servable = functools.cache(Servable)  # a folder with two names is loaded once
        self._models = {
            name: {int(folder.name): servable(folder) for folder in Path(path).iterdir() if folder.name.isdecimal()}
            for name, path in models.items()
        }

    def find(self, model: str, version: int | None = None) -> tuple[int, Servable]:
        """A version, or the newest."""
        versions = self._models.get(model, {})
        number = max(versions, default=None) if version is None else version
        if number not in versions:
            which = f"Latest({model})" if version is None else f"Specific({model}, {version})"
            raise Failure(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {which}")
        return number, versions[number]

    def predict(self, request):
        """A `PredictResponse` for a `PredictRequest`."""
        number, servable = self.find(request.model_spec.name, _version(request.model_spec))
        outputs = servable.predict(request.model_spec.signature_name, request.inputs)
        response = predict_pb2.PredictResponse()
        response.model_spec.name, response.model_spec.version.value = request.model_spec.name, number
        response.model_spec.signature_name = request.model_spec.signature_name or "serving_default"
        for name, proto in outputs.items():
            response.outputs[name].CopyFrom(proto)
        return response

    def metadata(self, model: str, version: int | None):
        """A `GetModelMetadataResponse`."""
        number, servable = self.find(model, version)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name, response.model_spec.version.value = model, number
        signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
        response.metadata["signature_def"].Pack(signatures)
        return response

    def status(self, model: str, version: int | None):
        """A `GetModelStatusResponse`."""
        if not (known := self._models.get(model)) or (version is not None and version not in known):
            raise Failure(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {model}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for number in sorted(known, reverse=True) if version is None else [version]:
            found = response.model_version_status.add(version=number, state="AVAILABLE")
            found.status.error_code = 0
        return response

    def metadata_json(self, model: str, version: int | None) -> dict:
        """The metadata as REST shows them: the packed signatures without their type's name."""
        response = self.metadata(model, version)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
        return {
            "model_spec": json_format.MessageToDict(response.model_spec, **options),
            "metadata": {"signature_def": json_format.MessageToDict(signatures, **options)},
        }

    def status_json(self, model: str, version: int | None) -> dict:
        """The status as REST shows it."""
        options = {"preserving_proto_field_name": True, "always_print_fields_with_no_presence": True}
        return json_format.MessageToDict(self.status(model, version), **options)


def _version(spec) -> int | None:
    return spec.version.value if spec.HasField("version") else None


def _answered(function, context):
    try:
        return function()
    except Failure as failure:
        return context.abort(failure.code, failure.message)


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, servables: Servables):
        self._servables = servables

    def Predict(self, request, context):
        return _answered(lambda: self._servables.predict(request), context)

    def GetModelMetadata(self, request, context):
        spec = request.model_spec
        return _answered(lambda: self._servables.metadata(spec.name, _version(spec)), context)


class _ModelService(model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, servables: Servables):
        self._servables = servables

    def GetModelStatus(self, request, context):
        spec = request.model_spec
        return _answered(lambda: self._servables.status(spec.name, _version(spec)), context)
