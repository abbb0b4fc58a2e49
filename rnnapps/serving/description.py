"""The description of an export: `assets.extra/metadata.json` for programs, README.md for people."""

import datetime
import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from rnnapps.files import write_json
from rnnapps.serving.inspection.graph import INITIALIZER, serving_graph
from rnnapps.serving.recorded_requests import Recording
from rnnapps.serving.versions import METADATA

_PACKAGES = ("rnnapps", "tensorflow", "keras", "tensorflow-text", "numpy")
_SHORT = 300  # most characters of a request on a command line


def describe(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a SavedModel: `about`, the date, the versions of packages and the signatures."""
    signatures = {
        name: {"inputs": _tensors(signature.inputs), "outputs": _tensors(signature.outputs)}
        for name, signature in sorted(serving_graph(str(folder)).signature_def.items())
        if name != INITIALIZER
    }
    created = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    packages = {name: number for name in _PACKAGES if (number := _version(name))}
    return {
        **about,
        "created": created,
        "packages": {"python": platform.python_version(), **packages},
        "signatures": signatures,
    }


def write(folder: Path, model: str, number: int, described: Mapping[str, Any], recordings: Sequence[Recording]) -> None:
    """Writes metadata.json and README.md of a version, and the requests that the README sends."""
    write_json(folder / METADATA, {"model": model, "model_version": number, **described})
    lines = [
        f"# {model}, version {number}",
        "",
        f"A SavedModel for TensorFlow Serving, written {described['created']}.",
        "`assets.extra/metadata.json` has the versions of packages, the data set and the metrics.",
        "In a shape, `null` is any size, and the first one is the batch. `[]` is a single value, without a batch.",
    ]
    for name, signature in described["signatures"].items():
        lines += ["", f"## {name}", "", "| | name | dtype | shape |", "| --- | --- | --- | --- |"]
        for kind in ("inputs", "outputs"):
            for key, tensor in signature[kind].items():
                lines.append(f"| {kind[:-1]} | `{key}` | {tensor['dtype']} | {json.dumps(tensor['shape'])} |")
        first = next((recording for recording in recordings if recording.signature == name), None)
        if first:
            lines += ["", "```", _curl(folder, model, first), "```"]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _curl(folder: Path, model: str, recording: Recording) -> str:
    """A request as a shell command, to be run in the version's folder: a long request is in a file there."""
    body = json.dumps(recording.request(1), ensure_ascii=False)
    data = shlex.quote(body)
    if len(body) > _SHORT:
        file = Path("assets.extra", f"request_{recording.signature}.json")
        (folder / file).write_text(body + "\n", encoding="utf-8")
        data = f"@{file}"
    return f"curl http://localhost:8501/v1/models/{model}:predict -d {data}"


def _tensors(tensors: Mapping[str, meta_graph_pb2.TensorInfo]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "dtype": tf.dtypes.as_dtype(tensor.dtype).name,
            "shape": [None if size.size < 0 else size.size for size in tensor.tensor_shape.dim],
        }
        for name, tensor in sorted(tensors.items())
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
