"""Exports: versioned SavedModel folders that get their final name only when they are complete and checked."""

import contextlib
import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from rnnapps.files import NOT_UTF8, is_utf8, named_path
from rnnapps.recurrences import use_engine
from rnnapps.serving import description, server_files
from rnnapps.serving.check import Findings, check_export
from rnnapps.serving.compact_graph import compact
from rnnapps.serving.endpoint import Endpoint
from rnnapps.serving.inspection.answers import brief
from rnnapps.serving.recorded_requests import Request, record, write_recordings, write_warm_up
from rnnapps.serving.versions import ExportError, next_version

_WRITING = ".writing-"  # not a number, so no server takes it for a version
_ABANDONED_SECONDS = 24 * 3600  # no export takes a day: its process was killed


class Saved(NamedTuple):
    """An export that was written.

    Attributes:
        folder: The folder of the version.
        findings: The result of the check.
        kept: Files beside the versions that were not written because they were edited.
    """

    folder: Path
    findings: Findings
    kept: tuple[Path, ...]


def save(
    output: Path,
    resources: Sequence[Any],
    endpoints: Mapping[str, Endpoint],
    requests: Mapping[str, Sequence[Request]] | None = None,
    *,
    about: Mapping[str, Any] | None = None,
    version: int | None = None,
    batch_sizes: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    add: Callable[[Path], None] | None = None,
) -> Saved:
    """Writes `OUTPUT/<version>/`, a SavedModel with the given signatures, and the files that a server needs with it.

    The folder is written and checked under a temporary name in OUTPUT and then renamed, so a server that watches OUTPUT
    never sees an incomplete or a refused model. An export that is stopped by Ctrl-C or SIGTERM leaves nothing. The
    folder contains, next to the SavedModel, a README.md and in `assets.extra` the warm-up requests, `metadata.json` and
    the requests with the answers of this process. `models.config`, `batching_parameters.txt`, `monitoring.config` and
    `compose.yaml` are written beside the versions, except those that were edited.

    Args:
        output: The model's folder, as TensorFlow Serving's `base_path`. Its name is the model's name.
        resources: The models, layers and `tf.Module`s whose weights and tables the signatures use.
        endpoints: The signatures by name. One of them is `serving_default`.
        requests: Real inputs for signatures by name. Each request has an array or nested lists for every input, numbers
            or strings (str or bytes). The export must answer them as the endpoints' functions do here; they also
            become the warm-up requests and the examples of the README.
        about: What `metadata.json` says about the model beyond versions and signatures: app, data set, metrics.
        version: The number of the version. None takes the next free one.
        batch_sizes: The batches in which a server may join requests, in ascending order; the first, the middle and the
            last one are warmed up.
        add: Called with the folder `assets.extra` after the check to write more files there. If it raises, no version
            is left.

    Returns:
        Where the export is, and what the check found.

    Raises:
        ExportError: If the version exists, OUTPUT cannot be written or the check fails.
        ValueError: If a request does not fit its signature, or a signature uses what is not in `resources`.
    """
    model = server_files.model_name(output)
    with _sigterm_as_exit(), _temporary_folder(output, version) as folder:
        recordings = record(endpoints, requests or {})
        _write_saved_model(folder, resources, endpoints)
        extra = folder / "assets.extra"
        extra.mkdir(exist_ok=True)
        if recordings:
            write_recordings(folder, recordings)
            warmed = sorted({batch_sizes[0], batch_sizes[len(batch_sizes) // 2], batch_sizes[-1]})
            write_warm_up(folder, model, recordings, warmed)
        described = description.describe(folder, about or {})
        if recordings:
            # The check wants metadata with recordings; the number is known when the folder gets its name.
            description.write(folder, model, version or 0, described, recordings)
        findings = check_export(folder)
        if not findings.passed:
            raise ExportError(f"the export failed its check and was not kept: {findings}")
        if add:
            add(extra)
        folder.chmod(0o755)  # mkdtemp's 0700 would lock out a server that runs as another user

        def describe(number: int) -> None:
            description.write(folder, model, number, described, recordings)

        # Before the version gets its name: a server must not get one whose export then fails.
        kept = server_files.write(output, endpoints, batch_sizes)
        return Saved(_rename(folder, output, version, describe), findings, kept)


@contextlib.contextmanager
def _temporary_folder(output: Path, version: int | None) -> Iterator[Path]:
    """A folder in OUTPUT that is removed at the end unless it was renamed.

    Raises:
        ExportError: If OUTPUT cannot be written or has the version already.
    """
    if not is_utf8(output.absolute()):
        raise ExportError(f"{output}: {NOT_UTF8}")
    folder, new = None, not output.exists()
    try:
        output.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(output)
        if version is not None and (output / str(version)).exists():
            raise ExportError(f"{output / str(version)}: already exists; choose another --model-version")
        folder = Path(tempfile.mkdtemp(prefix=_WRITING, dir=output))
        yield folder
    except OSError as error:
        path = named_path(error) or output
        path = output if folder and path.is_relative_to(folder) else path
        raise ExportError(f"{path}: cannot be written ({error.strerror or error}); choose another --output") from None
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        if new:
            with contextlib.suppress(OSError):  # there is a version in it, or nothing was made
                output.rmdir()


@contextlib.contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Makes SIGTERM end the process by an exception, so that what was begun is removed; a handler in place stays."""
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one does not interrupt the removal
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _write_saved_model(folder: Path, resources: Sequence[Any], endpoints: Mapping[str, Endpoint]) -> None:
    module = tf.Module()
    module.resources = [_trackable(resource) for resource in resources]
    with use_engine("graph"):  # only this process has the ops of the native engine
        signatures = {
            name: tf.function(endpoint.function, autograph=False).get_concrete_function(*endpoint.inputs)
            for name, endpoint in endpoints.items()
        }
    # A server does not need the backward passes, which TensorFlow would trace and save as well.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    try:
        tf.saved_model.save(module, str(folder), signatures=signatures, options=options)
    except (
        tf.errors.ResourceExhaustedError,
        tf.errors.PermissionDeniedError,
        tf.errors.OutOfRangeError,  # a limit on the size of files
    ) as error:
        raise OSError(brief(error)) from None
    except AssertionError as error:
        if "untracked" not in str(error):
            raise
        raise ValueError(
            "a signature uses a variable or a table that is not in `resources`; the state of a stateful layer cannot be"
            " there, since all clients of a server would share it: pass states in and out"
        ) from error
    compact(folder)


def _trackable(resource: Any) -> Any:
    """The weights and tables of a Keras layer without the layer: an export contains no Keras object."""
    if not hasattr(resource, "_flatten_layers"):
        return resource
    return {
        "variables": [variable.value for variable in resource.variables],
        "tables": [layer.lookup_table for layer in resource._flatten_layers() if hasattr(layer, "lookup_table")],
    }


def _remove_abandoned(output: Path) -> None:
    """Removes the temporary folders of exports that were killed."""
    for folder in output.glob(f"{_WRITING}*"):
        with contextlib.suppress(FileNotFoundError):  # renamed by its export in the meantime
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _rename(folder: Path, output: Path, version: int | None, finish: Callable[[int], None]) -> Path:
    """Gives a finished folder its number; another export may have taken the next one in the meantime."""
    while True:
        number = next_version(output) if version is None else version
        finish(number)
        try:
            # Not by `rnnapps.files.replacing`, which would put the folder in the place of a version that is served.
            os.rename(folder, output / str(number))
            return output / str(number)
        except OSError as error:
            if version is not None and (output / str(number)).exists():
                raise ExportError(f"{output / str(number)}: already exists; choose another --model-version") from None
            if version is not None or not (output / str(number)).exists():
                raise error
