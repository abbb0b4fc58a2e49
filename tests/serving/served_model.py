"""A small model with signatures of many kinds, and servers that serve it."""

import pytest
import tensorflow as tf

from tests.serving.model_server import KINDS, serve


def answer(text: tf.Tensor) -> dict[str, tf.Tensor]:
    """Echoes texts, so that an answer shows whose it is."""
    size = tf.cast(tf.strings.length(text), tf.float32)
    other = tf.stack([size / 7, size * float("nan"), 1 / tf.zeros_like(size)], axis=1)
    return {"label": text, "score": 1 / (1 + size), "probabilities": other}


def numbers(x: tf.Tensor, n: tf.Tensor, on: tf.Tensor) -> dict[str, tf.Tensor]:
    return {
        "double": tf.cast(x, tf.float64) / 4,
        "half": tf.cast(x, tf.float16),
        "n": n + 1,
        "small": tf.cast(n, tf.int32),
        "on": ~on,
        "total": tf.reduce_sum(x),
    }


def binary(blob: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"blob_bytes": blob, "size": tf.strings.length(blob)}


def slow(steps: tf.Tensor) -> dict[str, tf.Tensor]:
    return {
        "steps": tf.while_loop(lambda i: i < tf.reduce_max(steps), lambda i: [i + 1], [0], parallel_iterations=1)[0]
    }


def positive(x: tf.Tensor) -> dict[str, tf.Tensor]:
    with tf.control_dependencies([tf.debugging.assert_positive(x, message="x must be positive")]):
        return {"root": tf.sqrt(x)}


def parsed(text: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"number": tf.strings.to_number(text)}


def save_model(folder) -> None:
    def spec(name, shape=(None,), dtype=tf.float32):
        return tf.TensorSpec(shape, dtype, name=name)

    signatures = {
        "serving_default": (answer, [spec("text", dtype=tf.string)]),
        "numbers": (numbers, [spec("x", [None, 3]), spec("n", dtype=tf.int64), spec("on", dtype=tf.bool)]),
        "binary": (binary, [spec("blob", dtype=tf.string)]),
        "slow": (slow, [spec("steps", dtype=tf.int32)]),
        "parsed": (parsed, [spec("text", dtype=tf.string)]),
        "positive": (positive, [spec("x")]),
    }
    functions = {name: tf.function(f, autograph=False).get_concrete_function(*s) for name, (f, s) in signatures.items()}
    tf.saved_model.save(tf.Module(), str(folder), signatures=functions)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """Two versions of the model."""
    folder = tmp_path_factory.mktemp("served") / "echo"
    for version in ("1", "3"):
        save_model(folder / version)
    return folder


@pytest.fixture(scope="session", params=KINDS)
def server(request, model_folder):
    """The addresses of a server that serves it as `echo`."""
    with serve({"echo": model_folder}, request.param) as addresses:
        yield addresses


@pytest.fixture(params=["grpc", "rest"])
def url(server, request):
    return getattr(server, request.param)
