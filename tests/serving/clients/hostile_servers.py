"""Servers that answer requests with whatever a test gives them: bytes for a socket, or messages for gRPC."""

import contextlib
import itertools
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent import futures

import grpc

Answer = bytes | Callable[[socket.socket], None]


def http(body: bytes | str, status: str = "200 OK", *headers: str) -> bytes:
    """A whole answer of HTTP with the right length."""
    content = body if isinstance(body, bytes) else body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content


def tensor_json(dtype: str, *sizes: int) -> dict:
    """An input or output as the metadata of REST have it."""
    shape = {"dim": [{"size": str(size), "name": ""} for size in sizes], "unknown_rank": False}
    return {"dtype": dtype, "tensor_shape": shape, "name": "any:0"}


def metadata_json(inputs: dict, outputs: dict) -> bytes:
    """The metadata of a model with one signature."""
    signature = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
    found = {"signature_def": {"signature_def": {"serving_default": signature}}}
    return http(json.dumps({"model_spec": {"name": "m"}, "metadata": found}))


class HostileRest:
    """A server whose answers are set by assignment: `metadata` to GET, `answer` to POST.

    Attributes:
        url: Its address.
        requests: The heads of the requests so far.
    """

    def __init__(self, listening: socket.socket, metadata: bytes, tls: ssl.SSLContext | None):
        self.url = f"http{'s' if tls else ''}://localhost:{listening.getsockname()[1]}"
        self.metadata: Answer = metadata
        self.answer: Answer = b""
        self.requests: list[bytes] = []
        self._listening, self._tls = listening, tls

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._talk, args=[self._listening.accept()[0]], daemon=True).start()

    def _talk(self, connected: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            connected = stack.enter_context(self._tls.wrap_socket(connected, True) if self._tls else connected)
            lines = stack.enter_context(connected.makefile("rb"))
            while head := b"".join(itertools.takewhile(bytes.strip, lines)):
                self.requests.append(head)
                length = re.search(rb"Content-Length: (\d+)", head)
                lines.read(int(length[1]) if length else 0)
                answer = self.metadata if head.startswith(b"GET") else self.answer
                if isinstance(answer, bytes):
                    connected.sendall(answer)
                    if b"Content-Length: " in answer and b"close" not in answer:
                        continue
                else:
                    answer(connected)
                return


@contextlib.contextmanager
def hostile_rest(metadata: bytes, tls: ssl.SSLContext | None = None) -> Iterator[HostileRest]:
    """Serves until the block ends, over TLS if there is a context for it."""
    with socket.create_server(("localhost", 0)) as listening:
        server = HostileRest(listening, metadata, tls)
        threading.Thread(target=server.serve, daemon=True).start()
        yield server
        listening.shutdown(socket.SHUT_RDWR)


class HostileGrpc:
    """A server whose answers are set by assignment: messages as bytes, or exceptions of `Abort`.

    Attributes:
        port: Where it listens.
        metadata: The answer to GetModelMetadata; None: the server has no such method.
        answer: The answer to Predict.
    """

    def __init__(self) -> None:
        self.port = 0
        self.metadata: bytes | None = None
        self.answer: bytes | tuple[grpc.StatusCode, str] = b""

    def predict(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        return self.answer if isinstance(self.answer, bytes) else context.abort(*self.answer)

    def get_model_metadata(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if self.metadata is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")
        return self.metadata


@contextlib.contextmanager
def hostile_grpc(credentials: grpc.ServerCredentials | None = None, **options) -> Iterator[HostileGrpc]:
    """Serves until the block ends, over TLS if there are credentials."""
    hostile = HostileGrpc()
    methods = {"Predict": hostile.predict, "GetModelMetadata": hostile.get_model_metadata}
    handlers = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.max_send_message_length", -1)], **options)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("tensorflow.serving.PredictionService", handlers),)
    )
    if credentials is None:
        hostile.port = server.add_insecure_port("localhost:0")
    else:
        hostile.port = server.add_secure_port("localhost:0", credentials)
    server.start()
    try:
        yield hostile
    finally:
        server.stop(grace=None).wait()
