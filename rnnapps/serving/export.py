"""Versioned SavedModel folders that appear under their final name only when they are complete."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import tensorflow as tf

from rnnapps.errors import UserError
from rnnapps.recurrences import use_engine


class ExportError(UserError):
    """An export that cannot be written, read or trusted."""


class Endpoint(NamedTuple):
    """One signature of an export: a function of named tensors, and their specs."""

    function: Callable[..., dict[str, tf.Tensor]]
    inputs: list[tf.TensorSpec]


def save(
    output: Path,
    resources: list,
    endpoints: Mapping[str, Endpoint],
    *,
    version: int | None = None,
    approve: Callable[[Path], object] = lambda folder: None,
) -> Path:
    """Writes `OUTPUT/<version>/`, a SavedModel with the given signatures.

    The folder is written and approved under another name beside its final one and then renamed, so a server that
    watches OUTPUT never sees a half-written or a refused model.

    Args:
        output: the model's folder, as TensorFlow Serving's `base_path`.
        resources: the models and layers whose weights and tables the signatures use.
        endpoints: the signatures by name; one is `serving_default`.
        version: the version's number; None takes the next free one.
        approve: called with the finished folder before it gets its name; what it raises discards the folder.

    Returns:
        The version's folder.

    Raises:
        ExportError: if the version exists already or OUTPUT cannot be written.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=".writing-", dir=output))
    except OSError as error:
        raise ExportError(f"{output}: cannot be written ({error.strerror}); choose another --output") from None
    try:
        module = tf.Module()
        module.resources = [_trackable(resource) for resource in resources]
        with use_engine("graph"):  # the native engine's ops are known to our process alone
            signatures = {
                name: tf.function(endpoint.function, autograph=False).get_concrete_function(*endpoint.inputs)
                for name, endpoint in endpoints.items()
            }
        tf.saved_model.save(module, str(beside), signatures=signatures)
        approve(beside)
        beside.chmod(0o755)  # mkdtemp's 0700 would lock out a server that runs as another user
        final = output / str(version or _next_version(output))
        if final.exists():
            raise ExportError(f"{final}: exists already; choose another --model-version")
        os.rename(beside, final)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return final


def _trackable(resource):
    """The weights and tables of a Keras layer, without the layer: an export holds no Keras object."""
    return {
        "variables": [variable.value for variable in resource.variables],
        "tables": [layer.lookup_table for layer in resource._flatten_layers() if hasattr(layer, "lookup_table")],
    }


def _versions(output: Path) -> list[int]:
    return sorted(int(folder.name) for folder in output.iterdir() if folder.name.isdecimal() and folder.is_dir())


def _next_version(output: Path) -> int:
    return max(_versions(output), default=0) + 1


def is_export(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, itself or as versions."""
    return (folder / "saved_model.pb").is_file() or bool(_versions(folder))


def latest(export: Path) -> Path:
    """The folder of the newest version below `export`, or `export` itself if it is a version's folder.

    Raises:
        ExportError: if there is no SavedModel.
    """
    if (export / "saved_model.pb").is_file():
        return export
    if export.is_dir() and (versions := _versions(export)):
        return export / str(versions[-1])
    raise ExportError(f"{export}: no SavedModel here; name the folder that export wrote")


def load(export: Path, signature: str = "serving_default") -> Callable[..., dict[str, tf.Tensor]]:
    """The signature of an export as a function of named tensors.

    Raises:
        ExportError: if there is no such export or signature.
    """
    folder = latest(export)
    model = tf.saved_model.load(str(folder))
    if signature not in model.signatures:
        raise ExportError(f"{folder}: no signature {signature!r}; it has {', '.join(model.signatures)}")
    function = model.signatures[signature]
    function.owner = model  # a signature alone does not keep the model's variables alive
    return function
