"""A client of `PredictionService` over gRPC; see `rnnapps.serving.connect`."""

import contextlib
import re
from collections.abc import Mapping, Sequence

import grpc
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
from rnnapps.serving.clients.protos import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc
from rnnapps.serving.clients.tensors import from_proto, to_proto

# gRPC refuses answers above 4 MB unless told otherwise; TensorFlow Serving takes requests of any size.
_ANY_SIZE = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
# What gRPC itself says with the code UNAVAILABLE; a server has the same code for a full queue, in its own words.
_NOBODY = re.compile(r"connect|DNS|name resol|socket|HTTP/?2|handshake|GOAWAY|ping", re.IGNORECASE)


class GrpcClient:
    """A `rnnapps.serving.Client` over gRPC."""

    def __init__(self, url: str, address: str, model: str, version: int | None, timeout: float):
        self._url, self._model, self._version, self._timeout = url, model, version, timeout
        self._channel = grpc.insecure_channel(address, options=_ANY_SIZE)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._signatures = None

    def predict(
        self, inputs: Mapping[str, np.ndarray | Sequence], signature: str = DEFAULT_SIGNATURE
    ) -> dict[str, np.ndarray]:
        request = self._about_the_model(predict_pb2.PredictRequest())
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(to_proto(value))
        try:
            response = self._service.Predict(request, timeout=self._timeout)
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.INVALID_ARGUMENT and (signatures := self._known_signatures()):
                check_inputs(self._url, self._model, signature, inputs, signatures)
            raise self._explained(error) from None
        except ValueError as error:  # what protobuf cannot serialise: 2 GB and more
            raise BadRequest(f"{self._url}: the request cannot be sent ({error}); use a smaller --batch-size") from None
        return {name: from_proto(tensor) for name, tensor in response.outputs.items()}

    def close(self) -> None:
        self._channel.close()

    def _about_the_model(self, request):
        request.model_spec.name = self._model
        if self._version is not None:
            request.model_spec.version.value = self._version
        return request

    def _known_signatures(self) -> dict[str, list[str]]:
        """The inputs of the model's signatures, by name; nothing where the server does not tell."""
        if self._signatures is None:
            request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
            found = get_model_metadata_pb2.SignatureDefMap()
            with contextlib.suppress(grpc.RpcError):
                answer = self._service.GetModelMetadata(self._about_the_model(request), timeout=self._timeout)
                answer.metadata["signature_def"].Unpack(found)
            self._signatures = {name: list(signature.inputs) for name, signature in found.signature_def.items()}
        return self._signatures

    def _explained(self, error: grpc.RpcError) -> ServerError:
        code, message = error.code(), error.details() or "it does not say why"
        if code == grpc.StatusCode.INVALID_ARGUMENT:
            return BadRequest(f"{self._url}: the server refuses the request: {shortened(message)}")
        if code == grpc.StatusCode.NOT_FOUND:
            return unknown_model(self._url, self._model, self._version, message)
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return too_late(self._url, self._timeout)
        if code == grpc.StatusCode.UNAVAILABLE:
            what = "no model server answers there" if _NOBODY.search(message) else "the server is unavailable now"
            return ServerError(f"{self._url}: {what} ({shortened(message)})")
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            return ServerError(
                f"{self._url}: too much for the server: {shortened(message)}; use a smaller --batch-size"
            )
        return ServerError(f"{self._url}: the server failed: {shortened(message)} ({code.name})")
