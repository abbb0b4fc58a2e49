"""Real requests of an export: with the answers of the process that wrote it, and as the server's warm-up."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from rnnapps.serving.inspection import prediction_log
from rnnapps.serving.inspection.answers import rows_of
from rnnapps.serving.inspection.columns import to_json
from rnnapps.serving.inspection.files import RECORDED, WARMUP

Request = Mapping[str, object]


class Recording(NamedTuple):
    """A request to a signature and its answer, arrays by name; texts are arrays of bytes."""

    signature: str
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]

    def request(self, rows: int | None = None) -> dict:
        """The body of a REST request in columnar form, with the first rows or all."""
        inputs = {name: to_json(value[:rows] if value.ndim else value) for name, value in self.inputs.items()}
        return {"signature_name": self.signature, "inputs": inputs}


def record(endpoints: Mapping, requests: Mapping[str, Sequence[Request]]) -> list[Recording]:
    """Asks the endpoints' functions in this process, with the engine that it has."""
    found = []
    for name, several in requests.items():
        endpoint = endpoints[name]
        answer = tf.function(endpoint.function, input_signature=endpoint.inputs, autograph=False)
        for request in several:
            inputs = [tf.convert_to_tensor(request[spec.name], spec.dtype) for spec in endpoint.inputs]
            outputs = {key: value.numpy() for key, value in answer(*inputs).items()}
            named = {spec.name: value.numpy() for spec, value in zip(endpoint.inputs, inputs, strict=True)}
            found.append(Recording(name, named, outputs))
    return found


def write_recordings(folder: Path, recorded: Sequence[Recording]) -> None:
    """Writes what was asked and answered as JSON, each the body of a REST request and of its response."""
    items = [
        {
            "request": one.request(),
            "response": {"outputs": {name: to_json(value) for name, value in one.outputs.items()}},
        }
        for one in recorded
    ]
    (folder / RECORDED).write_text(json.dumps(items), encoding="utf-8")


def write_warm_up(folder: Path, model: str, recorded: Sequence[Recording], batch_sizes: Sequence[int]) -> None:
    """Writes the file that TensorFlow Serving replays before it serves a new version: a TFRecord of PredictionLogs.

    Each signature is asked with its first recorded request, cut or repeated to the batch sizes.

    Reference: https://www.tensorflow.org/tfx/serving/saved_model_warmup
    """
    firsts = {one.signature: one for one in reversed(recorded)}
    with tf.io.TFRecordWriter(str(folder / WARMUP)) as file:
        for name, first in firsts.items():
            for inputs in _batches(first.inputs, batch_sizes):
                tensors = {key: tf.make_tensor_proto(value).SerializeToString() for key, value in inputs.items()}
                file.write(prediction_log.to_bytes(model, name, tensors))


def _batches(inputs: dict[str, np.ndarray], sizes: Sequence[int]) -> Iterator[dict[str, np.ndarray]]:
    if not (count := rows_of(inputs)):
        yield inputs
        return
    for size in sizes:
        yield {name: value[np.arange(size) % count] for name, value in inputs.items()}
