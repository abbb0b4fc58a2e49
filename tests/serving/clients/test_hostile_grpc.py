"""Whatever a server answers over gRPC, the client returns what the signature gives, or raises one line."""

import contextlib

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from rnnapps.serving import BadAnswer, ServerError, connect
from rnnapps.serving.clients.tensors import to_proto
from rnnapps.terminal import printable
from tests.serving.clients.hostile_servers import hostile_grpc

DTYPES = {
    "label": "DT_STRING",
    "score": "DT_FLOAT",
    "probabilities": "DT_FLOAT",
    "count": "DT_INT32",
    "sure": "DT_BOOL",
}
GOOD = {
    "label": np.array([b"a", b"\xff"], object),
    "score": np.array([0.5, np.nan], np.float32),
    "probabilities": np.array([[0.5, 0.5], [1, 0]], np.float32),
    "count": np.array([1, -2], np.int32),
    "sure": np.array([True, False]),
}


def metadata(**dtypes):
    """The metadata of a model with one signature: texts in, and outputs of these dtypes."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    signature = signatures.signature_def["serving_default"]
    signature.inputs["text"].dtype = types_pb2.DT_STRING
    signature.inputs["text"].tensor_shape.dim.add(size=-1)
    for name, dtype in dtypes.items():
        info = signature.outputs[name]
        info.dtype = types_pb2.DataType.Value(dtype)
        for size in (-1, 2) if name == "probabilities" else (-1,):
            info.tensor_shape.dim.add(size=size)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.metadata["signature_def"].Pack(signatures)
    return response.SerializeToString()


def response(**changed):
    """A good answer, but for what is changed; what is changed to None is left out."""
    message = predict_pb2.PredictResponse()
    for name, array in (GOOD | changed).items():
        if array is not None:
            message.outputs[name].CopyFrom(to_proto(array) if isinstance(array, np.ndarray) else array)
    return message.SerializeToString()


def proto(array, **fields):
    """The message of an array, with some fields changed; `shape` replaces the sizes."""
    message = to_proto(array)
    if (shape := fields.pop("shape", None)) is not None:
        del message.tensor_shape.dim[:]
        for size in shape:
            message.tensor_shape.dim.add(size=size)
    for name, value in fields.items():
        message.ClearField(name)
        if isinstance(value, list):
            getattr(message, name).extend(value)
        else:
            setattr(message, name, value)
    return message


@pytest.fixture(scope="module")
def server():
    with hostile_grpc() as server:
        yield server


@pytest.fixture(params=["with metadata", "without metadata"])
def either_server(request, server):
    server.metadata = metadata(**DTYPES) if request.param == "with metadata" else None
    return server


def complaint(server, **options):
    url = f"grpc://localhost:{server.port}"
    client = connect(url, "reviews", **{"timeout": 10.0, **options})
    with contextlib.closing(client), pytest.raises(ServerError) as caught:
        client.predict({"text": ["one", "two"]})
    message = str(caught.value)
    assert message.startswith(f"{url}: model 'reviews': ")
    assert message.isprintable() and len(message) < 600
    return message


def answered(server):
    with contextlib.closing(connect(f"grpc://localhost:{server.port}", "reviews")) as client:
        return client.predict({"text": ["one", "two"]})


def test_a_good_answer_is_returned(either_server):
    either_server.answer = response()
    found = answered(either_server)
    assert set(found) == set(GOOD)
    for name, value in GOOD.items():
        np.testing.assert_array_equal(found[name], value)
        assert found[name].dtype == value.dtype


SCORE = GOOD["score"]
MALFORMED = {
    "too few bytes": proto(SCORE, tensor_content=b"\0" * 7),
    "too many bytes": proto(SCORE, tensor_content=b"\0" * 12),
    "bytes for strings": proto(GOOD["label"], tensor_content=b"ab"),
    "no values": proto(SCORE, tensor_content=b""),
    "too many values": proto(SCORE, tensor_content=b"", float_val=[1, 2, 3]),
    "values of another dtype": proto(SCORE, tensor_content=b"", int_val=[1, 2]),
    "a negative size": proto(SCORE, shape=[-2]),
    "two negative sizes": proto(SCORE, shape=[-1, -2]),
    "a size beyond memory": proto(SCORE, tensor_content=b"", float_val=[1], shape=[2, 2**40]),
    "sizes whose product overflows": proto(SCORE, tensor_content=b"", float_val=[1], shape=[2**32, 2**32]),
    "no rows of endless width": proto(SCORE, tensor_content=b"", shape=[2**62, 0]),
    "strings beyond memory": proto(GOOD["label"], string_val=[b"a"], shape=[2, 2**40]),
    "too many dimensions": proto(SCORE, tensor_content=b"", float_val=[1], shape=[1] * 100),
    "no dtype": proto(SCORE, dtype=0),
    "bfloat16": proto(SCORE, dtype=types_pb2.DT_BFLOAT16),
    "a resource": proto(SCORE, dtype=types_pb2.DT_RESOURCE),
    "a dtype that nobody knows": proto(SCORE, dtype=9999),
    "a half beyond 16 bits": proto(SCORE, dtype=types_pb2.DT_HALF, tensor_content=b"", half_val=[2**17, 1]),
    "an int8 beyond it": proto(SCORE, dtype=types_pb2.DT_INT8, tensor_content=b"", int_val=[300, 1]),
}


@pytest.mark.parametrize("tensor", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_tensor_is_one_line(either_server, tensor):
    either_server.answer = response(score=tensor)
    assert "the answer does not fit the model's signature: output 'score' " in complaint(either_server)


def test_an_unknown_shape_is_one_line(either_server):
    tensor = to_proto(SCORE)
    tensor.tensor_shape.Clear()
    tensor.tensor_shape.unknown_rank = True
    either_server.answer = response(score=tensor)
    assert "output 'score' must have a shape" in complaint(either_server)


UNEXPECTED = {
    "nothing": dict.fromkeys(GOOD),
    **{f"without {name}": {name: None} for name in GOOD},
    **{f"{name} one row short": {name: value[:1]} for name, value in GOOD.items()},
    **{f"{name} one row long": {name: np.concatenate([value, value[:1]])} for name, value in GOOD.items()},
    **{f"{name} without rows": {name: value[:0]} for name, value in GOOD.items()},
    **{f"{name} a scalar": {name: np.array(value.flat[0], value.dtype)} for name, value in GOOD.items()},
    **{f"{name} deeper": {name: value[None]} for name, value in GOOD.items()},
    **{f"{name} as int64": {name: np.zeros(value.shape, np.int64)} for name, value in GOOD.items()},
    **{f"{name} as strings": {name: np.full(value.shape, b"1", object)} for name, value in GOOD.items()
       if name != "label"},
    "too many": {"more": SCORE},
    "an escape as a name": {"\x1b[2J\u202e": SCORE},
    "wider": {"probabilities": np.zeros((2, 3), np.float32)},
}  # fmt: skip


@pytest.mark.parametrize("changed", UNEXPECTED.values(), ids=UNEXPECTED.keys())
def test_an_answer_that_is_not_the_signatures_is_one_line(server, changed):
    server.metadata, server.answer = metadata(**DTYPES), response(**changed)
    assert "the answer does not fit the model's signature: " in complaint(server)


def any_of(content: bytes):
    message = get_model_metadata_pb2.GetModelMetadataResponse()
    message.metadata["signature_def"].type_url = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    message.metadata["signature_def"].value = content
    return message.SerializeToString()


@pytest.mark.parametrize(
    "content", [b"\xff" * 10, any_of(b"\xff" * 10), metadata(score="DT_BFLOAT16"), metadata(score="DT_INVALID")]
)
def test_metadata_that_are_not_a_models_are_one_line(server, content):
    server.metadata, server.answer = content, response()
    complaint(server)


def test_messages_that_cannot_be_read_are_one_line_and_nothing_is_logged(either_server, caplog):
    for content in (b"\xff" * 100, b"\x0a\xff", b"HTTP/1.1 200 OK"):
        either_server.answer = content
        assert "not TensorFlow Serving: " in complaint(either_server)
    assert not caplog.records


def test_an_answer_too_large_is_refused_compressed_or_not(server):
    large = predict_pb2.PredictResponse()
    large.outputs["score"].CopyFrom(proto(SCORE, tensor_content=bytes(65 * 2**20), shape=[65 * 2**18]))
    server.metadata, server.answer = metadata(**DTYPES), large.SerializeToString()
    assert "the answer is larger than 64 MiB; use a smaller --batch-size" in complaint(server)
    with hostile_grpc(compression=grpc.Compression.Gzip) as compressing:
        compressing.metadata, compressing.answer = server.metadata, server.answer
        assert "the answer is larger than 64 MiB; use a smaller --batch-size" in complaint(compressing)


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_failure_is_one_line_without_escapes(either_server, code):
    either_server.answer = (code, "\x1b]0;owned\x07\x1b[31mno\nsecond line")
    message = complaint(either_server)
    assert "owned" not in message and "second line" not in message


def test_a_new_version_of_the_model_is_noticed(server):
    server.metadata, server.answer = metadata(**DTYPES), response()
    with contextlib.closing(connect(f"grpc://localhost:{server.port}", "reviews")) as client:
        client.predict({"text": ["one", "two"]})
        server.metadata = metadata(stars="DT_INT32")
        server.answer = response(**dict.fromkeys(GOOD), stars=np.array([1, 5], np.int32))
        assert client.predict({"text": ["one", "two"]})["stars"].tolist() == [1, 5]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=30), st.integers(0, 300))
def test_any_bytes_in_any_place_are_an_answer_or_one_line(server, noise, place):
    good = response()
    server.metadata, server.answer = metadata(**DTYPES), good[:place] + noise + good[place + len(noise) :]
    try:
        found = answered(server)
    except ServerError as error:
        assert printable(str(error)) == str(error)
    else:
        assert {name: len(value) for name, value in found.items()} == dict.fromkeys(GOOD, 2)


def test_bad_answers_are_errors_of_their_own(server):
    server.metadata, server.answer = metadata(**DTYPES), response(score=None)
    with pytest.raises(BadAnswer, match="the output 'score' is missing"):
        answered(server)
