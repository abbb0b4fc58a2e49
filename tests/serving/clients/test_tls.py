"""https and grpcs: the server's certificate is checked, and SSL_CERT_FILE names who may have signed it."""

import contextlib
import json
import shutil
import socket
import ssl
import subprocess
import threading

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import predict_pb2

from rnnapps.serving import ServerError, connect
from rnnapps.serving.clients.tensors import to_proto
from tests.serving.clients.hostile_servers import hostile_grpc, hostile_rest, http, metadata_json, tensor_json

METADATA = metadata_json({"x": tensor_json("DT_FLOAT", -1)}, {"y": tensor_json("DT_FLOAT", -1)})


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """The files of a self-signed certificate for localhost, and of its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    folder = tmp_path_factory.mktemp("tls")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "cert.pem", folder / "key.pem"


@contextlib.contextmanager
def grpc_server(certificate):
    message = predict_pb2.PredictResponse()
    message.outputs["y"].CopyFrom(to_proto(np.array([3], np.float32)))
    files = [file.read_bytes() for file in certificate or ()]
    with hostile_grpc(grpc.ssl_server_credentials([files[::-1]]) if files else None) as server:
        server.answer = message.SerializeToString()
        yield f"localhost:{server.port}"


@contextlib.contextmanager
def rest_server(certificate):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) if certificate else None
    if context:
        context.load_cert_chain(*certificate)
    with hostile_rest(METADATA, context) as server:
        server.answer = http(json.dumps({"outputs": [3]}))
        yield server.url.partition("://")[2]


def ask(url):
    with contextlib.closing(connect(url, "m", timeout=10.0)) as client:
        return client.predict({"x": [1.5]})["y"].tolist()


KINDS = pytest.mark.parametrize(("scheme", "serve"), [("grpc", grpc_server), ("http", rest_server)])


@KINDS
def test_a_server_with_a_known_certificate_is_asked(scheme, serve, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    with serve(certificate) as place:
        assert ask(f"{scheme}s://{place}") == [3]


@KINDS
def test_another_certificate_is_not_trusted(scheme, serve, certificate, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with serve(certificate) as place:
        remedy = rf"{scheme}s://{place}: model 'm': the server's certificate is not trusted .*SSL_CERT_FILE"
        with pytest.raises(ServerError, match=remedy):
            ask(f"{scheme}s://{place}")


@KINDS
def test_tls_on_one_side_only_is_one_line(scheme, serve, certificate):
    with serve(certificate) as place, pytest.raises(ServerError, match="no model server answers there"):
        ask(f"{scheme}://{place}")


def test_a_port_without_tls_is_recognised():
    with grpc_server(None) as place, pytest.raises(ServerError, match=r"is this a port without TLS\?"):
        ask(f"grpcs://{place}")
    with socket.create_server(("localhost", 0)) as listening:
        threading.Thread(target=lambda: listening.accept()[0].sendall(http("", "400 Bad Request")), daemon=True).start()
        with pytest.raises(ServerError, match=r"is this a port without TLS\?"):
            ask(f"https://localhost:{listening.getsockname()[1]}")


def test_a_file_of_certificates_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(ServerError, match=r"SSL_CERT_FILE cannot be read: .*nowhere\.pem"):
        connect("grpcs://localhost:1", "m")
