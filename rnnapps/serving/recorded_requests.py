"""Real requests to an export: recorded with the answers of the process that wrote it, and sent as warm-up."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.serving.endpoint import Endpoint
from rnnapps.serving.inspection import prediction_log
from rnnapps.serving.inspection.answers import rows_of
from rnnapps.serving.inspection.columns import to_json
from rnnapps.serving.inspection.files import RECORDED, WARMUP

Request = Mapping[str, Any]


class Recording(NamedTuple):
    """A request and its answer.

    Attributes:
        signature: The name of the signature.
        inputs: Arrays by name; strings are object arrays of bytes.
        outputs: Arrays by name.
    """

    signature: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    def request(self, rows: int | None = None) -> dict[str, Any]:
        """The body of a REST request in columnar form, with the first `rows` rows, or all of them if None."""
        inputs = {name: to_json(value[:rows] if value.ndim else value) for name, value in self.inputs.items()}
        return {"signature_name": self.signature, "inputs": inputs}


def record(endpoints: Mapping[str, Endpoint], requests: Mapping[str, Sequence[Request]]) -> list[Recording]:
    """Asks the endpoints' functions in this process, with its own engine.

    Args:
        endpoints: The signatures by name.
        requests: Requests to signatures by name; each has an array, or nested lists, for every input.

    Raises:
        ValueError: If a request names a signature or an input that does not exist, leaves out an input, or has a value
            that its spec does not allow.
    """
    recordings = []
    for signature, given in requests.items():
        if signature not in endpoints:
            raise ValueError(f"requests must name one of the signatures {', '.join(endpoints)}, got {signature!r}")
        function, specs = endpoints[signature]
        ask = tf.function(function, input_signature=list(specs), autograph=False)
        for request in given:
            inputs = [_tensor(signature, spec, request) for spec in specs]
            if unknown := sorted(set(request) - {spec.name for spec in specs}):
                raise ValueError(f"a request to {signature} has an unknown input, {unknown[0]!r}")
            named = {spec.name: value.numpy() for spec, value in zip(specs, inputs, strict=True)}
            outputs = {name: value.numpy() for name, value in ask(*inputs).items()}
            recordings.append(Recording(signature, named, outputs))
    return recordings


def _tensor(signature: str, spec: tf.TensorSpec, request: Request) -> tf.Tensor:
    where = f"a request to {signature} needs the input {spec.name!r}"
    if spec.name not in request:
        raise ValueError(f"{where}, got {', '.join(request) or 'none'}")
    value = request[spec.name]
    try:
        if spec.dtype == tf.string:
            array = np.asarray(value, object)  # NumPy's own string types drop zero bytes at the end
        else:
            array = np.asarray(value).astype(spec.dtype.as_numpy_dtype, casting="same_kind")
        tensor = tf.convert_to_tensor(array, spec.dtype)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where} as {spec.dtype.name}{spec.shape}, got {value!r:.80} ({error})") from None
    if not spec.shape.is_compatible_with(tensor.shape):
        raise ValueError(f"{where} as {spec.dtype.name}{spec.shape}, got the shape {tensor.shape}")
    return tensor


def write_recordings(folder: Path, recordings: Sequence[Recording]) -> None:
    """Writes requests and answers as JSON, each the body of a REST request and of its response."""
    items = [
        {
            "request": recording.request(),
            "response": {"outputs": {name: to_json(value) for name, value in recording.outputs.items()}},
        }
        for recording in recordings
    ]
    (folder / RECORDED).write_text(json.dumps(items), encoding="utf-8")


def write_warm_up(folder: Path, model: str, recordings: Sequence[Recording], batch_sizes: Sequence[int]) -> None:
    """Writes the file that TensorFlow Serving replays before it serves a new version: a TFRecord of PredictionLogs.

    It has the first recorded request of each signature, cut or repeated to the batch sizes.

    Reference: https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    first = {recording.signature: recording for recording in reversed(recordings)}
    with tf.io.TFRecordWriter(str(folder / WARMUP)) as file:
        for signature, recording in first.items():
            for inputs in _resized(recording.inputs, batch_sizes):
                tensors = {name: tf.make_tensor_proto(value).SerializeToString() for name, value in inputs.items()}
                file.write(prediction_log.to_bytes(model, signature, tensors))


def _resized(inputs: dict[str, np.ndarray], sizes: Sequence[int]) -> Iterator[dict[str, np.ndarray]]:
    count = rows_of(inputs)
    if not count:
        yield inputs
        return
    for size in sizes:
        yield {name: value[np.arange(size) % count] for name, value in inputs.items()}
