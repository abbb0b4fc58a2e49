"""Reading a `.keras` file that may be damaged or hostile, up to the point where a model is built from it.

A `.keras` file is a ZIP archive with `config.json` (how to build the model), `model.weights.h5` and, for some layers,
`assets/`. Keras writes all of them uncompressed, so an archive that unpacks to more than its own size is refused.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import pathlib
import stat
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import h5py
import keras

CONFIG, WEIGHTS, METADATA, ASSETS = "config.json", "model.weights.h5", "metadata.json", "assets/"
OPTIMIZER = "/optimizer/"  # the group of a compiled model's optimizer in the weights file
MAX_CONFIG_BYTES = 64 * 2**20  # a vocabulary of a million words takes about 15 MiB
MAX_NESTING = 100
MAX_INTEGER = 2**20  # of sizes that leave no trace in the weights: sample rates, lengths of sequences
ANY_INTEGER = frozenset({"seed", "shared_object_id"})  # these say nothing about sizes
# Layers whose configuration is a program, and forms of Keras's serialisation that hold byte code.
RUNS_CODE = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
# Values that Keras wraps in the form of a class.
WRAPPED_VALUES = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__slice__", "__ellipsis__", "function"}
)


class BadArchive(Exception):
    """The file is not an acceptable model; the message says why."""


@dataclasses.dataclass(frozen=True)
class ModelArchive:
    """What a `.keras` file holds.

    Attributes:
        config: The configuration of the model, as `keras.saving.serialize_keras_object` gave it.
        shapes: The shapes of the model's variables (those of an optimizer, which are saved too, left out).
    """

    config: dict[str, Any]
    shapes: tuple[tuple[int, ...], ...]

    def elements(self, above: int = 0) -> int:
        """Number of elements in all variables that have more than `above` elements."""
        return elements(self.shapes, above)


def elements(shapes: Iterable[Sequence[int]], above: int = 0) -> int:
    """Number of elements in all arrays of these shapes that have more than `above` elements."""
    return sum(size for size in map(math.prod, shapes) if size > above)


def read_archive(path: pathlib.Path, *, to_build: bool = True) -> ModelArchive:
    """Reads and checks a `.keras` file without building anything.

    Args:
        path: The file.
        to_build: Whether a model is to be built from it. Otherwise only its weights are read, into a model that is
            there already, and its classes do not matter.

    Returns:
        Its configuration and the size of its weights.

    Raises:
        BadArchive: The file is damaged, or loading it could run code or take more memory than the file has bytes.
        OSError: The file cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise BadArchive("it is not a regular file")
    try:
        with zipfile.ZipFile(path) as members:
            _check_members(members, path.stat().st_size)
            config_text = members.read(CONFIG)  # also compares the checksum
            weights = members.read(WEIGHTS)
    except (BadArchive, OSError):
        raise
    except Exception as error:  # zipfile answers damage with a dozen exceptions, zlib.error and struct.error included
        raise BadArchive(f"its ZIP archive is damaged ({error})") from error
    config = _parse_config(config_text)
    archive = ModelArchive(config, _variable_shapes(weights))
    if to_build:
        _check_config(config, max(MAX_INTEGER, archive.elements()))
    return archive


def _check_members(archive: zipfile.ZipFile, file_size: int) -> None:
    members = archive.infolist()
    names = [member.filename for member in members]
    for name in (CONFIG, WEIGHTS):
        if name not in names:
            raise BadArchive(f"its archive has no {name}")
    for name in names:
        if names.count(name) > 1:
            raise BadArchive(f"its archive holds {name} twice")
        known = name in (CONFIG, WEIGHTS, METADATA) or name.startswith(ASSETS)
        if not known or ".." in name.split("/") or "\\" in name:
            raise BadArchive(f"its archive holds a file that Keras does not write: {name!r}")
    if any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise BadArchive("its archive is compressed, which Keras never does")
    if sum(member.file_size for member in members) > file_size:  # members can share bytes or state a false size
        raise BadArchive("its archive states more data than the file has")
    if archive.getinfo(CONFIG).file_size > MAX_CONFIG_BYTES:
        raise BadArchive(f"its {CONFIG} is larger than {MAX_CONFIG_BYTES >> 20} MiB")


def _parse_config(text: bytes) -> dict[str, Any]:
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadArchive(f"its {CONFIG} is not valid JSON ({error})") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict):
        raise BadArchive(f"its {CONFIG} does not describe a model")
    return config


def _variable_shapes(weights: bytes) -> tuple[tuple[int, ...], ...]:
    """The shapes of the model's arrays in the HDF5 file, without reading the arrays."""
    try:
        with h5py.File(io.BytesIO(weights), "r") as file:
            datasets = list(_datasets(file))
            size = sum(math.prod(dataset.shape) * dataset.dtype.itemsize for dataset in datasets)
            shapes = tuple(dataset.shape for dataset in datasets if not dataset.name.startswith(OPTIMIZER))
    except BadArchive:
        raise
    except Exception as error:  # HDF5 reports damage as OSError, KeyError, RuntimeError, ValueError and more
        raise BadArchive(f"its {WEIGHTS} is damaged ({error})") from error
    if size > len(weights):
        raise BadArchive(f"its {WEIGHTS} states more data than it has")
    return shapes


def _datasets(file: h5py.File) -> Iterator[h5py.Dataset]:
    seen: set[int] = set()
    groups: list[h5py.Group] = [file]
    while groups:
        group = groups.pop()
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise BadArchive(f"its {WEIGHTS} links to another place: {name!r}")
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:  # hard links can make a cycle
                raise BadArchive(f"its {WEIGHTS} links twice to one place: {name!r}")
            seen.add(address)
            if isinstance(item, h5py.Group):
                groups.append(item)
            elif not isinstance(item, h5py.Dataset) or item.shape is None or item.dtype.kind not in "biufcV":
                raise BadArchive(f"its {WEIGHTS} holds something that is not an array of numbers: {name!r}")
            elif item.is_virtual or item.external:
                raise BadArchive(f"its {WEIGHTS} keeps data in another file: {name!r}")
            else:
                yield item


def _check_config(config: dict[str, Any], largest: int) -> None:
    """Refuses classes that are unknown or run code, integers that no model of this size needs, and deep nesting."""
    values: list[tuple[str, Any, int]] = [("", config, 0)]
    while values:
        name, value, depth = values.pop()
        if depth > MAX_NESTING:
            raise BadArchive(f"its {CONFIG} is nested more than {MAX_NESTING} levels deep")
        if isinstance(value, dict):
            if "class_name" in value:
                _check_class(value)
            values += [(key, part, depth + 1) for key, part in value.items()]
        elif isinstance(value, list):
            values += [(name, part, depth + 1) for part in value]
        elif isinstance(value, int) and abs(value) > largest and name not in ANY_INTEGER:
            raise BadArchive(f"its {CONFIG} has {name}={value:,}, far more than its weights could need")


def _check_class(value: dict[str, Any]) -> None:
    name, registered, module = (value.get(key) for key in ("class_name", "registered_name", "module"))
    if name in RUNS_CODE:
        raise BadArchive(f"its {CONFIG} holds a {name}, which could run any code")
    if name in WRAPPED_VALUES or "config" not in value:
        return
    if keras.saving.get_registered_object(registered) or keras.saving.get_registered_object(name):
        return
    if isinstance(module, str) and (module == "keras" or module.startswith("keras.")):
        return  # Keras looks it up, and takes layers, losses and the like only
    raise BadArchive(f"its {CONFIG} names the unknown class {registered or name!r}")
