"""Whether an export gives the right answers: the recorded ones, in any batch, repeatedly, and at warm-up."""

import itertools
import json
import os
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf
from google.protobuf import message
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from . import prediction_log
from .columns import from_json
from .files import RECORDED, WARMUP
from .finding import BATCH_SIZES, Finding
from .served import Served

TOLERANCE = 1e-4  # absolute for numbers up to 1, relative for larger ones: other engines add in another order
SAME = 1e-6  # the same, between two calls of the same graph

Tensors = dict[str, np.ndarray]


def recordings(export: str, served: Served) -> dict[str, list[tuple[Tensors, Tensors]]]:
    """The recorded requests and answers of each signature.

    Raises:
        ValueError: If the file is damaged; the message names the entry.
    """
    path = os.path.join(export, RECORDED)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        try:
            entries = json.load(file)
        except (ValueError, RecursionError):
            raise ValueError(f"{RECORDED} is damaged: not valid JSON") from None
    if not isinstance(entries, list):
        raise ValueError(f"{RECORDED} is damaged: expected a list, got {type(entries).__name__}")
    recorded: dict[str, list[tuple[Tensors, Tensors]]] = {}
    for number, entry in enumerate(entries, 1):
        try:
            name = entry["request"]["signature_name"]
            signature = served.signatures[name]
            request = _arrays(entry["request"]["inputs"], signature.inputs)
            response = _arrays(entry["response"]["outputs"], signature.outputs)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            reason = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(
                f"{RECORDED} is damaged: entry {number} is not a request and its answer ({reason})"
            ) from None
        recorded.setdefault(name, []).append((request, response))
    return recorded


def _arrays(values: Mapping[str, object], tensors: Mapping[str, meta_graph_pb2.TensorInfo]) -> Tensors:
    arrays = {}
    for name, value in values.items():
        dtype = tf.dtypes.as_dtype(tensors[name].dtype).as_numpy_dtype
        shape = [None if size.size < 0 else size.size for size in tensors[name].tensor_shape.dim]
        arrays[name] = from_json(value, dtype, shape)
    return arrays


def recorded_answers(served: Served, name: str, recorded: list[tuple[Tensors, Tensors]]) -> Finding:
    """Whether the export answers the recorded requests as the run did."""
    largest = 0.0
    try:
        for number, (request, expected) in enumerate(recorded, 1):
            answer = served.ask(name, request)
            if missing := sorted(set(expected) - set(answer)):
                return Finding(f"recorded answers {name}", False, f"no output {missing[0]!r}")
            largest = max(largest, *(_difference(f"request {number}", answer, expected, TOLERANCE)), 0.0)
    except (_Differs, tf.errors.OpError, ValueError) as error:
        return Finding(f"recorded answers {name}", False, brief(error))
    rows = sum(rows_of(request) for request, _ in recorded)
    asked = f"{rows} rows" if rows else f"{len(recorded)} requests without rows"
    return Finding(f"recorded answers {name}", True, f"{asked}, largest difference {largest:.1g}")


def batches(served: Served, name: str, recorded: list[tuple[Tensors, Tensors]]) -> Finding:
    """Whether a recorded request, cut or repeated to other batch sizes, gets the same answer for each row."""
    check = f"batch sizes {name}"
    request, expected = recorded[0]
    count = rows_of(request)
    if not count:
        return Finding(check, None, "takes no batch")
    for size in BATCH_SIZES:
        rows = np.arange(size) % count
        try:
            answer = served.ask(name, {key: value[rows] for key, value in request.items()})
            for key, value in answer.items():
                if value.shape[:1] != (size,):
                    raise _Differs(f"output {key!r} has the shape {value.shape}")
            list(_difference("", answer, {key: value[rows] for key, value in expected.items()}, TOLERANCE))
        except (_Differs, tf.errors.OpError, ValueError) as error:
            return Finding(check, False, f"a batch of {size}: {brief(error)}")
    return Finding(check, True, ", ".join(map(str, BATCH_SIZES)))


def repeats(served: Served, name: str, recorded: list[tuple[Tensors, Tensors]]) -> Finding:
    """Whether the second and the tenth call answer as the first: no state is carried from call to call."""
    request = recorded[0][0]
    try:
        first = served.ask(name, request)
        for call in range(2, 11):
            answer = served.ask(name, request)
            if call in (2, 10):
                list(_difference(f"call {call}", answer, first, SAME))
    except (_Differs, tf.errors.OpError, ValueError) as error:
        return Finding(f"repeated calls {name}", False, brief(error))
    return Finding(f"repeated calls {name}", True, "second and tenth call as the first")


def warm_up(export: str, served: Served) -> Finding:
    """Whether the warm-up requests, which the server sends to a new version, are answered."""
    path = os.path.join(export, WARMUP)
    if not os.path.exists(path):
        return Finding("warm-up", None, "no warm-up requests")
    sizes: dict[str, list[int]] = {}
    try:
        for record in tf.data.TFRecordDataset(path):
            name, tensors = prediction_log.from_bytes(record.numpy())
            request = {
                key: tf.make_ndarray(tensor_pb2.TensorProto.FromString(tensor)) for key, tensor in tensors.items()
            }
            served.ask(name, request)
            sizes.setdefault(name, []).append(rows_of(request))
    except KeyError as error:
        return Finding("warm-up", False, f"there is no signature or input {error}")
    except (tf.errors.OpError, message.DecodeError, TypeError, ValueError) as error:
        return Finding("warm-up", False, brief(error))
    if not sizes:
        return Finding("warm-up", False, "the file has no request")
    replayed = "; ".join(f"{name} {', '.join(map(str, rows))}" for name, rows in sizes.items())
    return Finding("warm-up", True, f"replayed, batches of {replayed}")


def rows_of(request: Tensors) -> int:
    """The number of rows of a request, 0 if it takes no batch."""
    return min((len(value) if value.ndim else 0 for value in request.values()), default=0)


def brief(error: Exception) -> str:
    """The line of an error message that says what is wrong; TensorFlow's have many lines."""
    lines = [line.strip() for line in str(error).splitlines()]
    # The message of a kernel is on the line above the name of its node.
    above = [before for before, line in itertools.pairwise(lines) if line.startswith("[[")]
    line = next((line for line in [*above, *lines] if line), type(error).__name__)
    return line if len(line) <= 200 else line[:199] + "…"


class _Differs(Exception):
    """An answer differs from the expected one."""


def _difference(where: str, answer: Tensors, expected: Tensors, tolerance: float) -> Iterator[float]:
    """The largest difference of each output's numbers; NaN equals NaN, and an infinity itself.

    Raises:
        _Differs: If strings or shapes differ, or numbers by more than the tolerance.
    """
    where = f"{where}: " if where else ""
    for name, wanted in expected.items():
        given = answer[name]
        if given.ndim != wanted.ndim or given.shape[:1] != wanted.shape[:1]:
            raise _Differs(f"{where}output {name!r} has the shape {given.shape}, not {wanted.shape}")
        # Outputs padded to the longest row of a batch are compared as far as both go.
        common = tuple(slice(min(sizes)) for sizes in zip(given.shape, wanted.shape, strict=True))
        given, wanted = given[common], wanted[common]
        if given.dtype == object:
            wrong, largest = given != wanted, 0.0
        else:
            given, wanted = given.astype("float64"), wanted.astype("float64")
            same = (given == wanted) | (np.isnan(given) & np.isnan(wanted))
            difference = np.abs(np.subtract(given, wanted, where=~same, out=np.zeros_like(given)))
            wrong = ~same & ~(np.isfinite(wanted) & (difference <= tolerance * np.maximum(1, np.abs(wanted))))
            largest = float(difference.max(initial=0))
        if np.any(wrong):
            place = tuple(np.argwhere(wrong)[0])
            raise _Differs(
                f"{where}output {name!r} is {_shown(given[place])} where the run answered {_shown(wanted[place])}"
            )
        yield largest


def _shown(value: bytes | np.floating) -> str:
    return repr(value.decode(errors="replace")[:40]) if isinstance(value, bytes) else f"{value:.6g}"
