"""Exports: versioned SavedModel folders that appear under their final name only when they are complete and checked."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from rnnapps.recurrences import use_engine
from rnnapps.serving import description, server_files
from rnnapps.serving.check import Findings, check_export
from rnnapps.serving.endpoint import Endpoint
from rnnapps.serving.recorded_requests import Request, record, write_recordings, write_warm_up
from rnnapps.serving.versions import ExportError, latest, next_version

_WRITING = ".writing-"  # no number, so no server takes it for a version
_ABANDONED_SECONDS = 24 * 3600  # no export takes a day: who wrote it was killed


class Saved(NamedTuple):
    """An export that was written.

    Attributes:
        folder: the version's folder.
        findings: what the check found.
        kept: files beside the versions that were left as they are, since somebody has edited them.
    """

    folder: Path
    findings: Findings
    kept: tuple[Path, ...]


def save(
    output: Path,
    resources: list,
    endpoints: Mapping[str, Endpoint],
    requests: Mapping[str, Sequence[Request]] | None = None,
    *,
    about: Mapping[str, Any] | None = None,
    version: int | None = None,
    batch_sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    add: Callable[[Path], None] | None = None,
) -> Saved:
    """Writes `OUTPUT/<version>/`, a SavedModel with the given signatures, and what a server needs beside it.

    The folder is written and checked under another name beside its final one and then renamed, so a server that
    watches OUTPUT never sees a half-written or a refused model. It holds, next to the SavedModel, a README.md and in
    `assets.extra` the warm-up requests, `metadata.json` and the requests with the answers of this process. Beside the
    versions are `models.config`, `batching_parameters.txt`, `monitoring.config` and `compose.yaml`; what somebody has
    edited of them stays.

    Args:
        output: the model's folder, as TensorFlow Serving's `base_path`; its name is the model's.
        resources: the models, layers and `tf.Module`s whose weights and tables the signatures use.
        endpoints: the signatures by name; one is `serving_default`.
        requests: real inputs for signatures by name, each request a dictionary of input arrays (text as str or bytes).
            The export must answer them as the endpoints' functions do here; they also make up the warm-up requests.
        about: what `metadata.json` says of the model beyond versions and signatures: app, data set, metrics.
        version: the version's number; None takes the next free one.
        batch_sizes: what a server may make of single requests; the smallest, the middle and the largest are warmed up.
        add: writes what else belongs into the folder `assets.extra`, which it is given after the check and before the
            version gets its name; what it raises leaves no version.

    Raises:
        ExportError: if the version exists already, OUTPUT cannot be written or the check fails.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(output)
        if version is not None and (output / str(version)).exists():
            raise ExportError(f"{output / str(version)}: exists already; choose another --model-version")
        beside = Path(tempfile.mkdtemp(prefix=_WRITING, dir=output))
    except OSError as error:
        raise ExportError(f"{output}: cannot be written ({error.strerror}); choose another --output") from None
    model = server_files.model_name(output)
    try:
        recorded = record(endpoints, requests or {})
        _write_saved_model(beside, resources, endpoints)
        (beside / "assets.extra").mkdir(exist_ok=True)
        if recorded:
            write_recordings(beside, recorded)
            write_warm_up(
                beside, model, recorded, sorted({batch_sizes[0], batch_sizes[len(batch_sizes) // 2], batch_sizes[-1]})
            )
        described = description.describe(beside, about or {})
        if recorded:
            # The check misses metadata that are not there; the number is known when the folder gets its name.
            description.write(beside, model, version or 0, described, recorded)
        findings = check_export(beside)
        if not findings.passed:
            raise ExportError(f"the export failed its check and was not kept: {findings}")
        if add:
            add(beside / "assets.extra")
        beside.chmod(0o755)  # mkdtemp's 0700 would lock out a server that runs as another user
        folder = _rename(
            beside, output, version, lambda number: description.write(beside, model, number, described, recorded)
        )
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Saved(folder, findings, server_files.write(output, endpoints, batch_sizes))


def _write_saved_model(folder: Path, resources: list, endpoints: Mapping[str, Endpoint]) -> None:
    module = tf.Module()
    module.resources = [_trackable(resource) for resource in resources]
    with use_engine("graph"):  # the native engine's ops are known to our process alone
        signatures = {
            name: tf.function(endpoint.function, autograph=False).get_concrete_function(*endpoint.inputs)
            for name, endpoint in endpoints.items()
        }
    # Backward passes, which TensorFlow would trace and save as well, are of no use to a server.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    tf.saved_model.save(module, str(folder), signatures=signatures, options=options)


def _trackable(resource):
    """The weights and tables of a Keras layer, without the layer: an export holds no Keras object."""
    if not hasattr(resource, "_flatten_layers"):
        return resource
    return {
        "variables": [variable.value for variable in resource.variables],
        "tables": [layer.lookup_table for layer in resource._flatten_layers() if hasattr(layer, "lookup_table")],
    }


def _remove_abandoned(output: Path) -> None:
    """Removes what exports that were killed have left."""
    for folder in output.glob(f"{_WRITING}*"):
        if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _rename(beside: Path, output: Path, version: int | None, finish: Callable[[int], None]) -> Path:
    """Gives a finished folder its number; another export may have taken the next one in the meantime."""
    while True:
        number = version or next_version(output)
        finish(number)
        try:
            os.rename(beside, output / str(number))
            return output / str(number)
        except OSError:
            if version or not (output / str(number)).exists():
                raise ExportError(f"{output / str(number)}: exists already; choose another --model-version") from None


def load(export: Path, signature: str = "serving_default") -> Callable[..., dict[str, tf.Tensor]]:
    """The signature of an export as a function of named tensors.

    Args:
        export: a version's folder, or the folder of the versions: then the newest one.
        signature: its name.

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
