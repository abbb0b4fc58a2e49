"""A client of `PredictionService` over gRPC; see `rnnapps.serving.connect`."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import grpc
import numpy as np
from google.protobuf.message import DecodeError, EncodeError, Message

from rnnapps.serving.clients.errors import LARGEST_ANSWER, BadAnswer, ServerError, reason
from rnnapps.serving.clients.protos import get_model_metadata_pb2, predict_pb2
from rnnapps.serving.clients.signatures import (
    DEFAULT_SIGNATURE,
    Signature,
    TensorSpec,
    as_tensors,
    check_outputs,
    rows,
)
from rnnapps.serving.clients.target import Target
from rnnapps.serving.clients.tensors import dtype_of, from_proto, to_proto

# gRPC's own bound on answers is 4 MB; TensorFlow Serving takes requests of any size.
_OPTIONS = [("grpc.max_receive_message_length", LARGEST_ANSWER), ("grpc.max_send_message_length", -1)]
# What gRPC itself says with the code UNAVAILABLE; a server has the same code for a full queue, in its own words.
_NOBODY = re.compile(r"connect|DNS|name resol|socket|HTTP/?2|handshake|GOAWAY|ping", re.IGNORECASE)


class GrpcClient:
    """A `rnnapps.serving.Client` over gRPC.

    Args:
        target: The server and the model.

    Raises:
        ServerError: `SSL_CERT_FILE` names a file that cannot be read.
    """

    def __init__(self, target: Target):
        self._target = target
        address = target.address
        # The scheme for gRPC itself: a host may be called "unix" or "dns".
        place = f"dns:///{address.netloc if address.port is not None else f'{address.netloc}:443'}"
        if address.tls:
            self._channel = grpc.secure_channel(place, _credentials(target), options=_OPTIONS)
        else:
            self._channel = grpc.insecure_channel(place, options=_OPTIONS)
        self._signatures: get_model_metadata_pb2.SignatureDefMap | None = None

    def predict(
        self, inputs: Mapping[str, np.ndarray | Sequence], signature: str = DEFAULT_SIGNATURE
    ) -> dict[str, np.ndarray]:
        """See `rnnapps.serving.Client.predict`."""
        up_to_date = self._signatures is None
        definition = self._signature(signature, inputs)
        request = self._about_the_model(predict_pb2.PredictRequest())
        try:
            tensors = as_tensors(inputs, definition.inputs if definition else None)
            request.model_spec.signature_name = signature
            for name, tensor in tensors.items():
                request.inputs[name].CopyFrom(to_proto(tensor))
        except (TypeError, ValueError) as error:
            raise self._target.bad_request(error) from None
        response = predict_pb2.PredictResponse()
        try:
            self._call("Predict", request, response)
        except grpc.RpcError as error:
            raise self._explained(error) from None
        count = rows(tensors, definition.inputs) if definition else None
        try:
            return self._outputs(response, definition, count)
        except BadAnswer:
            if up_to_date:
                raise
        self._signatures = None  # the server may have loaded another version of the model since
        return self._outputs(response, self._signature(signature, inputs), count)

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _call(self, method: str, request: Message, response: Message) -> None:
        """Calls a method of the service; the generated stub would log a message that cannot be read, with traceback."""
        try:
            content = request.SerializeToString()
        except (ValueError, EncodeError) as error:  # 2 GB and more
            raise self._target.bad_request(f"{error}; use a smaller --batch-size") from None
        call = self._channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
        content = call(content, timeout=self._target.timeout)
        try:
            response.ParseFromString(content)
        except DecodeError:
            raise self._target.no_model_server(f"its answer to {method} cannot be read") from None

    def _about_the_model(self, request: Message) -> Message:
        request.model_spec.name = self._target.model
        if self._target.version is not None:
            request.model_spec.version.value = self._target.version
        return request

    def _signature(self, name: str, inputs: Mapping) -> Signature | None:
        """What the signature takes and gives; None where the server does not tell."""
        if self._signatures is None:
            self._signatures = self._metadata()
        signatures = self._signatures.signature_def
        if not signatures:
            return None
        self._target.check_signature(name, inputs, {key: list(one.inputs) for key, one in signatures.items()})
        sides = signatures[name].inputs, signatures[name].outputs
        try:
            return Signature(*({key: _spec(info) for key, info in side.items()} for side in sides))
        except ValueError as error:
            raise self._target.no_model_server(f"{error} in its metadata") from None

    def _metadata(self) -> get_model_metadata_pb2.SignatureDefMap:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        answer = get_model_metadata_pb2.GetModelMetadataResponse()
        signatures = get_model_metadata_pb2.SignatureDefMap()
        try:
            self._call("GetModelMetadata", self._about_the_model(request), answer)
            if "signature_def" in answer.metadata:
                answer.metadata["signature_def"].Unpack(signatures)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNIMPLEMENTED:  # not every server of the protocol has metadata
                raise self._explained(error) from None
        except DecodeError:
            raise self._target.no_model_server("its metadata cannot be read") from None
        return signatures

    def _outputs(
        self, response: predict_pb2.PredictResponse, definition: Signature | None, count: int | None
    ) -> dict[str, np.ndarray]:
        try:
            outputs = {name: _tensor(name, proto) for name, proto in response.outputs.items()}
            if definition is not None:
                check_outputs(outputs, definition.outputs, count)
        except ValueError as error:
            raise self._target.bad_answer(error) from None
        return outputs

    def _explained(self, error: grpc.RpcError) -> ServerError:
        target, code, message = self._target, error.code(), error.details() or ""
        if code == grpc.StatusCode.INVALID_ARGUMENT:
            return target.refused(message)
        if code == grpc.StatusCode.NOT_FOUND:
            return target.unknown(message)
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return target.too_late()
        if code == grpc.StatusCode.UNAVAILABLE:
            if "CERTIFICATE_VERIFY_FAILED" in message:
                return target.untrusted("certificate verify failed")
            if _NOBODY.search(message):
                return target.unreachable(message, "is this a port without TLS?" if target.address.tls else "")
            return target.error(f"the server is unavailable now ({reason(message)}); try again later")
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED:
            if re.search(r"(CLIENT: Received|Decompressed) message larger than max", message):
                return target.too_large()
            return target.error(f"too large for the server: {reason(message)}; use a smaller --batch-size")
        if code == grpc.StatusCode.UNIMPLEMENTED:
            return target.no_model_server(message)
        return target.failed(message, code.name)


def _credentials(target: Target) -> grpc.ChannelCredentials:
    """The authorities that may sign the server's certificate: those of `SSL_CERT_FILE`, as for https, or gRPC's."""
    file = os.environ.get("SSL_CERT_FILE")
    try:
        return grpc.ssl_channel_credentials(pathlib.Path(file).read_bytes() if file else None)
    except OSError as error:
        raise target.error(f"the file in SSL_CERT_FILE cannot be read: {file}: {error.strerror or error}") from None


def _spec(info) -> TensorSpec:
    shape = info.tensor_shape
    sizes = tuple(None if dimension.size < 0 else dimension.size for dimension in shape.dim)
    return TensorSpec(dtype_of(info.dtype), None if shape.unknown_rank else sizes)


def _tensor(name: str, proto) -> np.ndarray:
    try:
        return from_proto(proto)
    except ValueError as error:
        raise ValueError(f"output {name!r} {error}") from None
