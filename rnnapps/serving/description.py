"""What an export says of itself: `assets.extra/metadata.json` for programs, README.md for people."""

import datetime
import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import tensorflow as tf

from rnnapps.serving.inspection.graph import serving_graph
from rnnapps.serving.recorded_requests import Recording
from rnnapps.serving.versions import METADATA

_PACKAGES = ("rnnapps", "tensorflow", "keras", "tensorflow-text", "numpy")
_SHORT = 300  # characters of a request that still reads well on a command line


def describe(folder: Path, about: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a SavedModel: what is known about it, signatures, packages."""
    signatures = {
        name: {"inputs": _tensors(one.inputs), "outputs": _tensors(one.outputs)}
        for name, one in sorted(serving_graph(str(folder)).signature_def.items())
        if name != "__saved_model_init_op"
    }
    created = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    packages = {name: number for name in _PACKAGES if (number := _version(name))}
    return {
        **about,
        "created": created,
        "packages": {"python": platform.python_version(), **packages},
        "signatures": signatures,
    }


def write(folder: Path, model: str, number: int, described: Mapping[str, Any], recorded: Sequence[Recording]) -> None:
    """Writes metadata.json and README.md of a version, and the requests that the README sends."""
    metadata = {"model": model, "model_version": number, **described}
    (folder / METADATA).write_text(json.dumps(metadata, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    lines = [
        f"# {model}, version {number}",
        "",
        f"A SavedModel for TensorFlow Serving, written {described['created']}.",
        "`assets.extra/metadata.json` says by what, from what and how good it is.",
        "In a shape `null` is any size; where it comes first it is the batch. `[]` is a single value, without a batch.",
    ]
    for name, signature in described["signatures"].items():
        lines += ["", f"## {name}", "", "| | name | dtype | shape |", "| --- | --- | --- | --- |"]
        for kind in ("inputs", "outputs"):
            for key, tensor in signature[kind].items():
                lines.append(f"| {kind[:-1]} | `{key}` | {tensor['dtype']} | {json.dumps(tensor['shape'])} |")
        if first := next((one for one in recorded if one.signature == name), None):
            lines += ["", "```", _curl(folder, model, first), "```"]
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _curl(folder: Path, model: str, recording: Recording) -> str:
    """A request as a shell command; a long one lies in a file beside the README, where the command is to be called."""
    body = json.dumps(recording.request(1), ensure_ascii=False)
    data = shlex.quote(body)
    if len(body) > _SHORT:
        file = Path("assets.extra", f"request_{recording.signature}.json")
        (folder / file).write_text(body + "\n", encoding="utf-8")
        data = f"@{file}"
    return f"curl http://localhost:8501/v1/models/{model}:predict -d {data}"


def _tensors(tensors) -> dict[str, dict[str, Any]]:
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
