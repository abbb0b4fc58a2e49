"""Clients against the official protocols; `tests/serving/model_server.py` says what answers."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from rnnapps.serving.clients.client import connect
from rnnapps.serving.clients.errors import BadRequest, ServerError, reason
from rnnapps.serving.clients.tensors import to_proto
from tests.serving.model_server import serve

REQUESTS = int(os.environ.get("RNNAPPS_TEST_REQUESTS", "800"))  # 10,000 for the whole proof
TRICKY = ["", "🎉🎉", "这部电影很好看。", "nul \x00 byte", 'quote " and \\', "line\nbreak", "\u2028"]


@contextlib.contextmanager
def client(url, **options):
    connection = connect(url, options.pop("model", "echo"), **options)
    try:
        yield connection
    finally:
        connection.close()


def ask(url, inputs, signature="serving_default", **options):
    with client(url, **options) as connection:
        return connection.predict(inputs, signature)


def test_answers_are_those_of_the_model(url, model_folder):
    texts = ["a superb film", *TRICKY]
    found = ask(url, {"text": texts})
    expected = tf.saved_model.load(str(model_folder / "3")).signatures["serving_default"](text=tf.constant(texts))
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.numpy().dtype
        np.testing.assert_array_equal(found[name], value.numpy())  # to the last bit, NaN and infinity too
    assert np.isnan(found["probabilities"][0, 1]) and np.isposinf(found["probabilities"][0, 2])


def test_numbers_of_every_kind_arrive_as_they_are(url):
    x = np.array([[1 / 3, 1e-30, 3e38], [np.nan, np.inf, -np.inf]], np.float32)
    inputs = {"x": x, "n": np.array([2**53 + 1, -5]), "on": np.array([True, False])}
    found = ask(url, inputs, "numbers")
    np.testing.assert_array_equal(found["double"], x.astype(np.float64) / 4)
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(found["half"], x.astype(np.float16))
    np.testing.assert_array_equal(found["n"], inputs["n"] + 1)
    np.testing.assert_array_equal(found["small"], inputs["n"].astype(np.int32))
    assert found["on"].tolist() == [False, True]
    assert found["total"].shape == () and np.isnan(found["total"])
    kinds = {name: value.dtype.name for name, value in found.items()}
    assert kinds == {
        "double": "float64",
        "half": "float16",
        "n": "int64",
        "small": "int32",
        "on": "bool",
        "total": "float32",
    }


def test_bytes_go_and_come_back_unharmed(url):
    blobs = [bytes(range(256)), b"", b"\xff\xfe\x00", b"ends in zeros\x00\x00"]
    assert ask(url, {"blob": blobs}, "binary")["blob_bytes"].tolist() == blobs
    assert ask(url, {"text": blobs})["label"].tolist() == blobs  # also where REST does not know that they are binary


def test_an_empty_batch_has_empty_answers(url):
    found = ask(url, {"text": np.array([], object)})
    assert {name: value.shape[0] for name, value in found.items()} == {"label": 0, "score": 0, "probabilities": 0}
    assert found["score"].dtype == np.float32


def test_a_version_is_asked_by_its_number_and_the_newest_without(server):
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://")) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for version, expected in ((None, 3), (1, 1)):
            request = predict_pb2.PredictRequest(inputs={"text": tf.make_tensor_proto(["a"])})
            request.model_spec.name = "echo"
            if version:
                request.model_spec.version.value = version
            assert stub.Predict(request).model_spec.version.value == expected
    for url in server:
        assert ask(url, {"text": ["a"]}, version=1)["label"].tolist() == [b"a"]
        with pytest.raises(ServerError, match=r"model 'echo': the server has no version 2 of it .*--model-version"):
            ask(url, {"text": ["a"]}, version=2)


def test_what_goes_wrong_is_one_line(url):
    def complaint(*arguments, **options):
        with pytest.raises(ServerError) as error:
            ask(url, *arguments, **options)
        assert "\n" not in str(error.value) and str(error.value).startswith(url)
        return str(error.value)

    assert "model 'nobody': the server has no such model" in complaint({"text": ["a"]}, model="nobody")
    assert "nosuch" in complaint({"text": ["a"]}, "nosuch")
    refused = complaint({"x": np.array([-1], np.float32)}, "positive")
    assert "the server refuses the request: x must be positive. Condition" in refused and "[" not in refused
    wrong_model = "model 'echo': wrong kind of model: it takes the inputs text, got other; name a model with --model"
    assert wrong_model in complaint({"other": ["a"]})
    steps = {"steps": np.array([200_000], np.int32)}
    assert "no answer within 0.05 s; give it more time with --timeout" in complaint(steps, "slow", timeout=0.05)


def test_a_single_output_has_its_name(url):
    root = ask(url, {"x": np.array([4], np.float32)}, "positive")["root"]
    np.testing.assert_allclose(root, [2], rtol=1e-6)  # vectorised square roots round in their own way


def test_nobody_there_is_one_line(server):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    for scheme in ("grpc", "http"):
        with pytest.raises(
            ServerError, match=f"{scheme}://localhost:{port}: model 'echo': no model server answers there"
        ):
            ask(f"{scheme}://localhost:{port}", {"text": ["a"]})
    wrong = server.grpc.replace("grpc://", "http://"), server.rest.replace("http://", "grpc://")
    for url in wrong:
        with pytest.raises(ServerError, match=f"{url}: model 'echo': no model server answers there"):
            ask(url, {"text": ["a"]}, timeout=5)


def test_a_server_that_never_answers_is_left_in_time():
    with socket.create_server(("localhost", 0)) as silent:
        for scheme in ("grpc", "http"):
            with pytest.raises(ServerError, match=r"no answer within 0\.3 s"):
                ask(f"{scheme}://localhost:{silent.getsockname()[1]}", {"text": ["a"]}, timeout=0.3)


def test_a_web_server_that_is_no_model_server_is_named(tmp_path):
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("localhost", 0), partial(Quiet, directory=tmp_path)) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        with pytest.raises(ServerError, match="not TensorFlow Serving: HTTP 404"):
            ask(f"http://localhost:{other.server_address[1]}", {"text": ["a"]})
        other.shutdown()


def test_a_wrong_model_is_no_fault_of_the_inputs(url):
    with client(url) as connection:
        for signature, inputs in (("serving_default", {"audio": [b"a"]}), ("nosuch", {"text": ["a"]})):
            with pytest.raises(ServerError) as error:
                connection.predict(inputs, signature)
            assert not isinstance(error.value, BadRequest)
        with pytest.raises(BadRequest):
            connection.predict({"x": np.array([-1], np.float32)}, "positive")


def test_a_server_that_answers_byte_by_byte_is_left_in_time():
    def drip(head):
        with contextlib.suppress(OSError):
            peer = trickling.accept()[0]
            peer.sendall(head)
            while True:
                peer.sendall(b"x")
                time.sleep(0.1)

    for head in (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 "):
        with socket.create_server(("localhost", 0)) as trickling:
            threading.Thread(target=drip, args=[head], daemon=True).start()
            with pytest.raises(ServerError, match=r"no answer within 0\.5 s"):
                ask(f"http://localhost:{trickling.getsockname()[1]}", {"text": ["a"]}, timeout=0.5)


def test_a_server_with_a_full_queue_says_so():
    class Busy(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):
            context.abort(grpc.StatusCode.UNAVAILABLE, "The batch scheduling queue is full")

    server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Busy(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    with pytest.raises(ServerError, match=r"unavailable now \(The batch scheduling queue is full\)"):
        ask(f"grpc://localhost:{port}", {"text": ["a"]})
    server.stop(grace=None).wait()


def test_what_a_server_says_is_fit_for_a_terminal():
    assert reason("\x00\x00\x12\x04\x1b[31mred\tred\udcff\nmore") == "red red�"
    assert reason("\x1b[2J\n the second line") == "the second line"
    assert reason("\x00") == "it does not say why"
    assert len(reason("x" * 10_000_000)) < 400


def test_a_connection_that_the_server_closed_is_opened_again(model_folder):
    with serve({"echo": model_folder}) as first:
        port = urlsplit(first.rest).port
        with client(first.rest) as connection:
            connection.predict({"text": ["a"]})
            connection._connection._connection.sock.shutdown(socket.SHUT_RDWR)
            assert connection.predict({"text": ["b"]})["label"].tolist() == [b"b"]
    assert port


def test_sixteen_clients_at_once_get_each_their_own_answers(url):
    def one_client(number):
        wrong = 0
        with client(url) as connection:
            for request in range(REQUESTS // 16):
                texts = [f"{number}-{request}-{row}" for row in range(1 + request % 3)]
                found = connection.predict({"text": texts})["label"].tolist()
                wrong += found != [text.encode() for text in texts]
        return wrong

    with futures.ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(one_client, range(16))) == 0


HOSTILE = {
    "numbers for text": {"text": np.zeros(3, np.float32)},
    "a matrix for a vector": {"text": [["a", "b"]]},
    "a scalar for a vector": {"text": "a"},
    "nothing": {},
    "too much": {"text": ["a"], "more": ["b"]},
    "not UTF-8": {"text": [b"\xff\xc0\x80", b"\xed\xa0\x80"]},
    "a megabyte": {"text": ["ab\u00fc " * 250_000] * 2},
    "a hundred thousand rows": {"text": ["a row of some thirty characters"] * 100_000},
}


def encoded(value):
    if isinstance(value, list):
        return [encoded(part) for part in value]
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize("inputs", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_request_gets_an_answer_or_an_error_and_the_next_one_works(url, inputs):
    with client(url) as connection:
        try:
            found = connection.predict(inputs)
        except ServerError as error:
            assert isinstance(error, BadRequest) or set(inputs) != {"text"}  # other inputs: another kind of model
            assert len(str(error)) < 500 and "\n" not in str(error)
        else:
            assert found["label"].tolist() == encoded(inputs["text"])
        assert connection.predict({"text": ["next"]})["label"].tolist() == [b"next"]


def test_broken_messages_do_not_stop_the_server(server):
    with grpc.insecure_channel(server.grpc.removeprefix("grpc://")) as channel:
        raw = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        for message in (b"\xff" * 100, b"", os.urandom(1000)):
            with pytest.raises(grpc.RpcError):
                raw(message, timeout=10)
        lying = predict_pb2.PredictRequest(inputs={"text": to_proto(np.array([b"a", b"b"], object))})
        lying.model_spec.name = "echo"
        lying.inputs["text"].tensor_shape.dim[0].size = 2**40
        with contextlib.suppress(grpc.RpcError):
            raw(lying.SerializeToString(), timeout=10)
    connection = http.client.HTTPConnection(urlsplit(server.rest).netloc)
    bodies = [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"inputs": []',
        b'{"instances": []}',
        b'{"instances": {}, "inputs": 1}',
    ]
    bodies += [b'{"inputs": {"text": [{"b64": "%%%"}]}}', b'{"inputs": {"text": [[1], 2]}}', b"[" * 5000]
    for body in bodies:
        connection.request("POST", "/v1/models/echo:predict", body)
        response = connection.getresponse()
        assert response.status == 400
        assert isinstance(json.loads(response.read())["error"], str)
    for url in server:
        assert ask(url, {"text": ["next"]})["label"].tolist() == [b"next"]


def test_a_server_with_a_limit_says_so(model_folder):
    with serve({"echo": model_folder}, largest_request=4 * 2**20) as addresses:
        with pytest.raises(ServerError, match=r"too large for the server: .*use a smaller --batch-size"):
            ask(addresses.grpc, {"text": ["x" * 100] * 100_000})
        assert ask(addresses.grpc, {"text": ["next"]})["label"].tolist() == [b"next"]


def rest(server, path, body=None):
    connection = http.client.HTTPConnection(urlsplit(server.rest).netloc)
    connection.request("GET" if body is None else "POST", path, body)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_the_server_speaks_rest_as_documented(server):
    row = '{"instances": ["a", {"b64": "YmI="}]}'
    status, found = rest(server, "/v1/models/echo/versions/1:predict", row)
    assert status == 200
    assert [instance["label"] for instance in found["predictions"]] == ["a", "bb"]
    assert rest(server, "/v1/models/echo:predict", '{"signature_name": "positive", "instances": [4, 0.25]}') == (
        200,
        {"predictions": [2.0, 0.5]},
    )
    found = rest(server, "/v1/models/echo:predict", '{"signature_name": "binary", "inputs": ["b"]}')
    assert found == (200, {"outputs": {"blob_bytes": [{"b64": "Yg=="}], "size": [1]}})
    status, found = rest(server, "/v1/models/echo")
    states = [(version["version"], version["state"]) for version in found["model_version_status"]]
    assert (status, sorted(states)) == (200, [("1", "AVAILABLE"), ("3", "AVAILABLE")])
    status, found = rest(server, "/v1/models/echo/versions/3/metadata")
    inputs = found["metadata"]["signature_def"]["signature_def"]["serving_default"]["inputs"]
    assert (found["model_spec"]["version"], inputs["text"]["dtype"]) == ("3", "DT_STRING")
    assert rest(server, "/v1/models/nobody:predict", row)[0] == 404
    assert rest(server, "/v1/models/nobody")[0] == 404


CLIENT = """
import sys, time
from rnnapps.serving.clients.client import connect
print(connect(sys.argv[1], "echo").predict({"text": ["hello"]})["label"].tolist())
heavy = {"tensorflow", "keras"} & set(sys.modules)
assert not heavy, heavy
"""


def test_a_client_imports_no_tensorflow(url):
    process = subprocess.run([sys.executable, "-c", CLIENT, url], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stdout) == (0, "[b'hello']\n"), process.stderr


def test_tensorflow_can_be_imported_after_the_protos():
    code = """
from rnnapps.serving.clients.protos import predict_pb2, tensor_pb2
import tensorflow as tf
request = predict_pb2.PredictRequest(inputs={"text": tf.make_tensor_proto(["a"])})
assert isinstance(request.inputs["text"], tensor_pb2.TensorProto)
assert tf.make_ndarray(request.inputs["text"]).tolist() == [b"a"]
assert tf.saved_model.load and tf.io.TFRecordWriter
from tensorflow.core.framework import graph_pb2
"""
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
