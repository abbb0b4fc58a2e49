"""Whatever a server answers over REST, the client returns what the signature gives, or raises one line."""

import contextlib
import gzip
import json
import socket
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rnnapps.serving import BadAnswer, BadRequest, ServerError, connect
from rnnapps.serving.clients import errors
from rnnapps.terminal import printable
from tests.serving.clients.hostile_servers import hostile_rest, http, metadata_json, tensor_json

INPUTS = {"text": tensor_json("DT_STRING", -1)}
OUTPUTS = {
    "label": tensor_json("DT_STRING", -1),
    "score": tensor_json("DT_FLOAT", -1),
    "probabilities": tensor_json("DT_FLOAT", -1, 2),
    "count": tensor_json("DT_INT32", -1),
    "sure": tensor_json("DT_BOOL", -1),
}
METADATA = metadata_json(INPUTS, OUTPUTS)
GOOD = {
    "label": ["a", "b"],
    "score": [0.5, 1],
    "probabilities": [[0.5, 0.5], [1.0, 0]],
    "count": [1, -2],
    "sure": [True, False],
}


@pytest.fixture(scope="module")
def server():
    with hostile_rest(METADATA) as server:
        yield server


def complaint(server, **options):
    """What the client says about an answer, once it is sure that it says it as it should."""
    client = connect(server.url, "reviews", **{"timeout": 5.0, **options})
    with contextlib.closing(client), pytest.raises(ServerError) as caught:
        client.predict({"text": ["one", "two"]})
    message = str(caught.value)
    assert message.startswith(f"{server.url}: model 'reviews': ")
    assert message.isprintable() and len(message) < 600
    assert not isinstance(caught.value, BadRequest) or "refuses" in message
    return message


def answered(server, outputs):
    """What the client makes of an answer."""
    server.metadata, server.answer = METADATA, http(json.dumps({"outputs": outputs}))
    with contextlib.closing(connect(server.url, "reviews")) as client:
        return client.predict({"text": ["one", "two"]})


def test_a_good_answer_has_the_signatures_dtypes(server):
    found = answered(server, GOOD)
    assert {name: value.tolist() for name, value in found.items()} == GOOD | {"label": [b"a", b"b"]}
    kinds = {name: value.dtype.name for name, value in found.items()}
    assert kinds == {
        "label": "object",
        "score": "float32",
        "probabilities": "float32",
        "count": "int32",
        "sure": "bool",
    }


BAD_OUTPUTS = {
    "null": None,
    "a list": [GOOD],
    "a string": "outputs",
    "a number": 3,
    "nothing": {},
    "too many": GOOD | {"more": [1, 2]},
    "the row format": [{"label": "a", "score": 0.5}],
    **{f"without {name}": {key: GOOD[key] for key in GOOD if key != name} for name in GOOD},
    **{f"{name} null": GOOD | {name: None} for name in GOOD},
    **{f"{name} a scalar": GOOD | {name: GOOD[name][0]} for name in GOOD},
    **{f"{name} an object": GOOD | {name: {"0": 1, "1": 2}} for name in GOOD},
    **{f"{name} with null": GOOD | {name: [GOOD[name][0], None]} for name in GOOD},
    **{f"{name} with an object": GOOD | {name: [GOOD[name][0], {"value": 1}]} for name in GOOD},
    **{f"{name} one row short": GOOD | {name: GOOD[name][:1]} for name in GOOD},
    **{f"{name} one row long": GOOD | {name: [*GOOD[name], GOOD[name][0]]} for name in GOOD},
    **{f"{name} without rows": GOOD | {name: []} for name in GOOD},
    **{f"{name} nested": GOOD | {name: [GOOD[name]]} for name in GOOD},
    **{f"{name} deeper": GOOD | {name: [[part] for part in GOOD[name]]} for name in GOOD},
    "ragged": GOOD | {"probabilities": [[1.0, 0.0], [1.0]]},
    "wider": GOOD | {"probabilities": [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]},
    "half nested": GOOD | {"probabilities": [[1.0, 0.0], 1.0]},
    "numbers as strings": GOOD | {"score": ["0.5", "1"]},
    "not a number as a string": GOOD | {"score": ["NaN", 1]},
    "booleans as floats": GOOD | {"score": [True, False]},
    "booleans as integers": GOOD | {"count": [True, False]},
    "integers as booleans": GOOD | {"sure": [0, 1]},
    "floats as integers": GOOD | {"count": [1.0, 2.5]},
    "NaN as an integer": GOOD | {"count": [float("nan"), 1]},
    "infinity as an integer": GOOD | {"count": [float("inf"), 1]},
    "beyond 32 bits": GOOD | {"count": [2**31, 1]},
    "beyond 64 bits": GOOD | {"count": [2**70, 1]},
    "beyond floats": GOOD | {"score": [10**400, 1]},
    "beyond float32": GOOD | {"score": [1e39, 1]},
    "numbers as labels": GOOD | {"label": [1, 2]},
    "lists as labels": GOOD | {"label": [["a"], "b"]},
    "a surrogate": GOOD | {"label": ["\ud800", "b"]},
    "no base64": GOOD | {"label": [{"b64": "%%%"}, "b"]},
    "base64 without padding": GOOD | {"label": [{"b64": "YQ"}, "b"]},
    "base64 with spaces": GOOD | {"label": [{"b64": "Y Q=="}, "b"]},
    "base64 beyond ASCII": GOOD | {"label": [{"b64": "ü"}, "b"]},
    "base64 a number": GOOD | {"label": [{"b64": 3}, "b"]},
    "base64 and more": GOOD | {"label": [{"b64": "YQ==", "c": 1}, "b"]},
    "an escape as a name": {"\x1b[2J\u202e": 1},
}


@pytest.mark.parametrize("outputs", BAD_OUTPUTS.values(), ids=BAD_OUTPUTS.keys())
def test_an_answer_that_is_not_the_signatures_is_one_line(server, outputs):
    server.metadata, server.answer = METADATA, http(json.dumps({"outputs": outputs}))
    assert "the answer does not fit the model's signature: " in complaint(server)


def test_the_line_says_what_was_expected_and_what_came(server):
    def said(**changed):
        server.metadata, server.answer = METADATA, http(json.dumps({"outputs": GOOD | changed}))
        return complaint(server)

    assert "output 'count' must be int32, got numbers from 1 to 2147483648" in said(count=[2**31, 1])
    assert "output 'score' must have 2 rows, as the request has, got 1" in said(score=[0.5])
    assert "output 'probabilities': the shape must be (any, 2), got (2, 1)" in said(probabilities=[[1], [2]])
    assert "output 'score' must be float32, got a string" in said(score=["0.5", 1])


def test_bytes_that_are_not_utf_8_and_special_numbers_are_answers(server):
    server.metadata = METADATA
    body = json.dumps({"outputs": GOOD | {"score": [float("nan"), float("-inf")], "label": ["@", {"b64": "/wA="}]}})
    server.answer = http(body.encode().replace(b"@", b"\xff\xfe"))
    with contextlib.closing(connect(server.url, "reviews")) as client:
        found = client.predict({"text": ["one", "two"]})
    assert found["label"].tolist() == [b"\xff\xfe", b"\xff\x00"]
    np.testing.assert_array_equal(found["score"], np.array([np.nan, -np.inf], np.float32))


BAD_BODIES = {
    "empty": http(""),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "HTML": http("<html><body>It works!</body></html>", "200 OK", "Content-Type: text/html"),
    "a bad gateway": http("<h1>502 Bad Gateway</h1>", "502 Bad Gateway", "Content-Type: text/html"),
    "half of it": http('{"outputs": {"label": ["a"'),
    "two of them": http('{"outputs": 1}{"outputs": 1}'),
    "a list": http("[]"),
    "null": http("null"),
    "a string": http('"outputs"'),
    "binary": http(bytes(range(256))),
    "UTF-16": http('{"outputs": 1}'.encode("utf-16")),
    "gzip": http(gzip.compress(b'{"outputs": 1}'), "200 OK", "Content-Encoding: gzip"),
    "a gzip bomb": http(gzip.compress(bytes(2**24)), "200 OK", "Content-Encoding: gzip"),
    "deep lists": http("[" * 100_000),
    "deep objects": http('{"outputs":' * 100_000),
    "deep and closed": http('{"outputs": ' + "[" * 5_000 + "]" * 5_000 + "}"),
    "a key twice": http('{"outputs": {"label": ["a", "b"], "label": ["c", "d"]}}'),
    "outputs twice": http('{"outputs": {}, "outputs": {}}'),
    "a long integer": http('{"outputs": {"count": [' + "9" * 10_000 + ", 1]}}"),
    "an error without a message": http("{}", "500 Internal Server Error"),
    "an error that is a number": http('{"error": 3}', "400 Bad Request"),
    "an error that is null": http('{"error": null}', "404 Not Found"),
    "an error that is a list": http('{"error": ["a"]}', "503 Service Unavailable"),
    "an unknown status": http("{}", "799 Whatever"),
    "a redirect": http("", "301 Moved Permanently", "Location: http://elsewhere:80/v1"),
    "a redirect to itself": http("", "307 Temporary Redirect", "Location: /v1/models/reviews:predict"),
    "a redirect to nowhere": http("", "302 Found"),
    "a redirect with escapes": http("", "308 Permanent Redirect", "Location: \x9b2J\x07http://user:secret@elsewhere"),
    "who are you": http("", "401 Unauthorized", "WWW-Authenticate: Basic"),
    "forbidden": http("<h1>403</h1>", "403 Forbidden"),
}


@pytest.mark.parametrize("answer", BAD_BODIES.values(), ids=BAD_BODIES.keys())
@pytest.mark.parametrize("method", ["metadata", "answer"])
def test_a_body_that_is_not_tensorflow_servings_is_one_line(server, answer, method):
    server.metadata, server.answer = METADATA, http(json.dumps({"outputs": GOOD}))
    setattr(server, method, answer)
    message = complaint(server)
    assert "secret" not in message
    fixes = ("check --server", "check that --server", "give user and password in --server", "try again later")
    assert any(fix in message for fix in fixes)


BAD_HTTP = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.0\r\n",
    "a status that is no number": b"HTTP/1.1 OK\r\n\r\n",
    "HTTP 9": b"HTTP/9.9 200 OK\r\n\r\n",
    "a status line without end": b"HTTP/1.1 200 " + b"x" * 100_000,
    "headers without end": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 500 + b"\r\n",
    "a header without end": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000,
    "nothing": b"",
    "only a line break": b"\r\n",
    "a body cut off": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{}",
    "a length too large": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    "a length of a terabyte": b"HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n{}",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\nConnection: close\r\n\r\n",
    "a length that is no number": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\nConnection: close\r\n\r\n",
    "a chunk without a length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "a chunk of negative length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n{}\r\n0\r\n\r\n",
    "a chunk of length -1": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n",
    "a chunk cut off": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFF\r\n{}",
    "chunks without an end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "a chunk's endless length": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 100_000,
    "an unknown encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: magic\r\nConnection: close\r\n\r\n{}",
}


@pytest.mark.parametrize("answer", BAD_HTTP.values(), ids=BAD_HTTP.keys())
@pytest.mark.parametrize("method", ["metadata", "answer"])
def test_an_answer_that_is_not_http_is_one_line(server, answer, method):
    server.metadata, server.answer = METADATA, http(json.dumps({"outputs": GOOD}))
    setattr(server, method, answer)
    complaint(server)


def forever(head: bytes, piece: bytes):
    def send(connected: socket.socket) -> None:
        connected.sendall(head)
        while True:
            connected.sendall(piece)

    return send


ENDLESS = {
    "a body without a length": forever(b"HTTP/1.1 200 OK\r\n\r\n", b"[" * 2**16),
    "chunks": forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 2**16 + b"\r\n"),
    "small chunks": forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 2**12),
    "a chunk of length -1": forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 2**16),
    "trailers": forever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 2**12),
    "answers to come": forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 2**10),
    "an error": forever(b"HTTP/1.1 500 Oh\r\n\r\n", b"x" * 2**16),
}


@pytest.mark.parametrize("answer", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_answer_without_end_is_bounded(server, answer, monkeypatch):
    monkeypatch.setattr("rnnapps.serving.clients.http_connection.LARGEST_ANSWER", 2**20)
    server.metadata, server.answer = METADATA, answer
    assert "the answer is larger than 64 MiB; use a smaller --batch-size" in complaint(server, timeout=60.0)
    assert errors.LARGEST_ANSWER == 64 * 2**20


def test_an_absurd_length_is_refused_before_a_byte_is_read(server):
    server.metadata, server.answer = METADATA, BAD_HTTP["a length of a terabyte"]
    assert "the answer is larger than 64 MiB" in complaint(server)


def drip(head: bytes):
    def send(connected: socket.socket) -> None:
        connected.sendall(head)
        while True:
            connected.sendall(b"x")
            time.sleep(0.05)

    return send


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nA: ", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_a_server_that_drips_is_left_in_time(server, head):
    server.metadata, server.answer = METADATA, drip(head)
    assert "no answer within 0.3 s; give it more time with --timeout" in complaint(server, timeout=0.3)


def changed(*path, to):
    """The metadata with one value changed."""
    found = json.loads(METADATA.partition(b"\r\n\r\n")[2])
    part = found
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = to
    return http(json.dumps(found))


DEFINITIONS = ("metadata", "signature_def", "signature_def")
SCORE = (*DEFINITIONS, "serving_default", "outputs", "score")
BAD_METADATA = {
    **{f"no {name} but {value!r}": changed(*path, to=value)
       for name, path in {"metadata": DEFINITIONS[:1], "signature_def": DEFINITIONS[:2], "signatures": DEFINITIONS,
                          "outputs": SCORE[:-1], "inputs": (*SCORE[:-2], "inputs"), "output": SCORE,
                          "dtype": (*SCORE, "dtype"), "tensor_shape": (*SCORE, "tensor_shape")}.items()
       for value in (None, 3, "a", [1], True)},
    "an unknown dtype": changed(*SCORE, "dtype", to="DT_BFLOAT16"),
    "a dtype that is none": changed(*SCORE, "dtype", to="\x1b[31mDT_FLOAT"),
    "dim an object": changed(*SCORE, "tensor_shape", "dim", to={}),
    "dim of numbers": changed(*SCORE, "tensor_shape", "dim", to=[1]),
    "size a word": changed(*SCORE, "tensor_shape", "dim", to=[{"size": "many"}]),
    "size null": changed(*SCORE, "tensor_shape", "dim", to=[{"size": None}]),
    "size a fraction": changed(*SCORE, "tensor_shape", "dim", to=[{"size": 1.5}]),
    "size endless": changed(*SCORE, "tensor_shape", "dim", to=[{"size": "9" * 5000}]),
}  # fmt: skip


@pytest.mark.parametrize("metadata", BAD_METADATA.values(), ids=BAD_METADATA.keys())
def test_metadata_that_are_not_a_models_are_one_line(server, metadata):
    server.metadata, server.answer = metadata, http(json.dumps({"outputs": GOOD}))
    complaint(server)


def test_an_unknown_rank_takes_any_shape(server):
    shape = {"dim": [], "unknown_rank": True}
    server.metadata = metadata_json(INPUTS, {"any": {"dtype": "DT_INT64", "tensor_shape": shape}})
    for value in (3, [1, 2], [[[1]]], []):
        server.answer = http(json.dumps({"outputs": value}))
        with contextlib.closing(connect(server.url, "reviews")) as client:
            assert client.predict({"text": ["one", "two"]})["any"].tolist() == value
    for value in ([1, [2]], [[1], [2, 3]], [[[1], 2]], [1.5]):
        server.answer = http(json.dumps({"outputs": value}))
        complaint(server)


def test_what_a_server_says_is_shown_without_escapes(server):
    server.metadata = METADATA
    for status in ("400 Bad Request", "404 Not Found", "500 Oh", "503 Busy"):
        server.answer = http(json.dumps({"error": "\x1b]0;owned\x07\x1b[31mno\u202e\nsecond line"}), status)
        message = complaint(server)
        assert "no" in message and "owned" not in message and "second line" not in message


def test_what_a_proxy_refuses_gets_advice(server):
    server.metadata = METADATA
    advice = dict.fromkeys(("502 Bad Gateway", "504 Gateway Timeout"), "down or busy; try again later")
    advice["413 Payload Too Large"] = "send fewer rows at once with --batch-size"
    for status, end in advice.items():
        server.answer = http("<html><h1>no</h1></html>", status)
        assert complaint(server).endswith(f"{end} (HTTP {status})")


def test_a_password_is_sent_and_never_shown(server):
    url = server.url.replace("http://", "http://me:hunter%202@")
    secrets = ("hunter 2", "hunter%202", "bWU6aHVudGVyIDI=")
    server.metadata = METADATA
    for answer in (
        http(json.dumps({"error": f"bad header Basic {secrets[2]} of {secrets[0]}"}), "400 Bad Request"),
        http("", "401 Unauthorized"),
        http("", "301 Moved", f"Location: http://me:{secrets[1]}@elsewhere/"),
        http("<html>"),
        b"",
    ):
        server.answer = answer
        with contextlib.closing(connect(url, "reviews")) as client, pytest.raises(ServerError) as caught:
            client.predict({"text": ["one"]})
        assert not any(secret in f"{caught.value}{client!r}" for secret in secrets)
    assert b"Authorization: Basic bWU6aHVudGVyIDI=" in server.requests[-1]


def test_a_new_version_of_the_model_is_noticed(server):
    server.metadata, server.answer = METADATA, http(json.dumps({"outputs": GOOD}))
    with contextlib.closing(connect(server.url, "reviews")) as client:
        client.predict({"text": ["one", "two"]})
        server.metadata = metadata_json(INPUTS, {"label": OUTPUTS["label"], "stars": tensor_json("DT_INT32", -1)})
        server.answer = http(json.dumps({"outputs": {"label": ["a", "b"], "stars": [1, 5]}}))
        assert client.predict({"text": ["one", "two"]})["stars"].tolist() == [1, 5]
        server.answer = http(json.dumps({"outputs": {"label": ["a", "b"]}}))
        with pytest.raises(BadAnswer, match="the output 'stars' is missing"):
            client.predict({"text": ["one", "two"]})


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just({"b64": "YQ=="})
ANY_JSON = st.recursive(SCALARS, lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(), part, max_size=2))
OUTPUTS_LIKE = st.fixed_dictionaries({}, optional={name: st.just(GOOD[name]) | ANY_JSON for name in GOOD})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(OUTPUTS_LIKE, ANY_JSON))
def test_any_json_is_an_answer_of_the_signature_or_one_line(server, outputs):
    try:
        found = answered(server, outputs)
    except BadAnswer as error:
        assert printable(str(error)) == str(error)
        return
    assert set(found) == set(OUTPUTS)
    assert {name: value.dtype.name for name, value in found.items()}["label"] == "object"
    assert all(len(value) == 2 for value in found.values()) and found["probabilities"].shape == (2, 2)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.integers(0, 300))
def test_any_bytes_in_any_place_are_an_answer_or_one_line(server, noise, place):
    server.metadata, answer = METADATA, http(json.dumps({"outputs": GOOD}))
    server.answer = answer[:place] + noise + answer[place + len(noise) :]
    with contextlib.closing(connect(server.url, "reviews", timeout=0.5)) as client:
        try:
            found = client.predict({"text": ["one", "two"]})
        except ServerError as error:
            assert printable(str(error)) == str(error)
        else:
            assert len(found["label"]) == 2
