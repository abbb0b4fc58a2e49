"""Loading the model of a run, from a file that may be damaged or hostile."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

from rnnapps.errors import UserError
from rnnapps.run_folder import RunFolder
from rnnapps.terminal import printable, shortened
from rnnapps.training.model_archive import OPTIMIZER, WEIGHTS, BadArchive, ModelArchive, elements, read_archive

SMALL = 16  # elements of a variable that need not be in the file: the states of random generators are not
SPARE = 3  # wrappers such as Bidirectional build the layer that they are given, and then copies of it
REASON_LENGTH = 200  # characters kept of what Keras or TensorFlow says
ModelClass = type[keras.Model] | tuple[type[keras.Model], ...]
_REMEDY = "restore the file, or train the run again with --overwrite"


def load_model(run: RunFolder, model_class: ModelClass = keras.Model) -> keras.Model:
    """Loads the best model of a run, not compiled; see `load_model_file`.

    Args:
        run: The run folder.
        model_class: The class that the model must have, or several.
    """
    return load_model_file(run.model_file, model_class)


def load_model_file(path: pathlib.Path, model_class: ModelClass = keras.Model, *, remedy: str = _REMEDY) -> keras.Model:
    """Loads a model from a `.keras` file.

    The file is not trusted. Before anything is built its configuration is checked (known classes only, none that runs
    code, no absurd sizes), and while the model is built no variable is made that the weights in the file could not
    fill. So a damaged or hostile file neither costs gigabytes of memory nor runs code.

    Args:
        path: The file.
        model_class: The class that the model must have, or several of which it must have one, as for `isinstance`;
            any by default. Its module must have been imported, which is what makes it known to Keras.
        remedy: What errors say about how to fix it.

    Returns:
        The model with its weights, not compiled.

    Raises:
        UserError: The file is missing, damaged, or holds a model of another class.
    """
    try:
        archive = read_archive(path)
        _check_top_class(archive.config, model_class)
        with _no_more_variables_than(archive), warnings.catch_warnings():
            # Keras only warns when build() fails. Such a model has no weights, which is checked below.
            warnings.filterwarnings("ignore", message=".*had a build config")
            model = keras.saving.load_model(path, compile=False, safe_mode=True)
        if not isinstance(model, model_class):
            raise BadArchive(f"it holds a {type(model).__name__}")
        if elements((variable.shape for variable in model.variables), above=SMALL) != archive.elements(above=SMALL):
            raise BadArchive("its configuration does not fit its weights")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror or _one_line(error)}; {remedy}") from error
    except Exception as error:  # whatever a class raises that is built from an edited or damaged configuration
        raise UserError(f"{path}: cannot be loaded{_as(model_class)}: {_one_line(error)}; {remedy}") from error
    return model


def load_weights(model: keras.Model, run: RunFolder) -> None:
    """Puts the best weights of a run into its model, which is built.

    Args:
        model: The model.
        run: The run folder.

    Raises:
        UserError: The file is missing, damaged, or of another model.
    """
    try:
        read_archive(run.model_file, to_build=False)
        model.load_weights(run.model_file)
    except Exception as error:
        raise UserError(f"{run.model_file}: its weights cannot be loaded: {_one_line(error)}; {_REMEDY}") from error


def load_arrays(run: RunFolder) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The configuration and the weights of a run's model, for another model that starts from them; nothing is built.

    Args:
        run: The run folder.

    Returns:
        What the model's `get_config` returned, and the weights by their paths in the file, such as
        `embedding/vars/0`; those of the optimizer left out.

    Raises:
        UserError: The file is missing or damaged.
    """
    path = run.model_file
    try:
        archive = read_archive(path, to_build=False)
        with zipfile.ZipFile(path) as members, h5py.File(io.BytesIO(members.read(WEIGHTS)), "r") as file:
            arrays: dict[str, np.ndarray] = {}

            def keep(name: str, item: Any) -> None:
                if isinstance(item, h5py.Dataset) and not item.name.startswith(OPTIMIZER):
                    arrays[name] = item[()]

            file.visititems(keep)
    except Exception as error:
        raise UserError(f"{path}: its weights cannot be loaded: {_one_line(error)}; {_REMEDY}") from error
    return archive.config["config"], arrays


def _all(classes: ModelClass) -> tuple[type[keras.Model], ...]:
    return classes if isinstance(classes, tuple) else (classes,)


def _as(classes: ModelClass) -> str:
    return "" if classes is keras.Model else f" as a {' or '.join(one.__name__ for one in _all(classes))}"


def _check_top_class(config: dict[str, Any], classes: ModelClass) -> None:
    expected = [keras.saving.get_registered_name(one) for one in _all(classes)]
    if any(">" not in name for name in expected):  # of Keras itself, such as keras.Model; checked after loading
        return
    if config.get("registered_name") not in expected:
        raise BadArchive(f"it holds a {config.get('class_name')}")


@contextlib.contextmanager
def _no_more_variables_than(archive: ModelArchive) -> Iterator[None]:
    """Refuses, before its memory is allocated, a variable that the weights in the archive could not fill."""
    elements_left = SPARE * archive.elements(above=SMALL)
    variables_left = SPARE * len(archive.shapes) + 64
    exceeded = False

    def create(next_creator: Callable[..., tf.Variable], **arguments: Any) -> tf.Variable:
        nonlocal elements_left, variables_left, exceeded
        variables_left -= 1
        elements_left -= elements([_shape(arguments["initial_value"])], above=SMALL)
        exceeded = exceeded or elements_left < 0 or variables_left < 0
        if exceeded:
            raise MemoryError
        return next_creator(**arguments)

    try:
        with tf.variable_creator_scope(create):
            yield
    finally:
        if exceeded:  # raised here, since Keras catches what build() raises
            raise BadArchive("its configuration asks for more weights than the file holds")


def _shape(initial_value: Any) -> tuple[int, ...]:
    if not callable(initial_value):
        return tuple(tf.convert_to_tensor(initial_value).shape)
    with tf.Graph().as_default():  # in a graph a value has a shape and takes no memory
        return tuple(tf.convert_to_tensor(initial_value()).shape)


def _one_line(error: Exception) -> str:
    """What an exception says, without the configurations and advice that Keras puts around it."""
    text = str(error)
    if first := re.search(r"Example error message for object .*?:\n\n(.*?)\n\n", text, re.DOTALL):
        text = f"its weights do not fit its configuration: {first[1]}"
    text = re.split(r"Exception encountered: |Error encountered during deserialization: ", text)[-1]
    text = " ".join(printable(text).split()) or type(error).__name__
    # What no font shows, such as a character that is not assigned, is written as its escape.
    text = "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
    return shortened(text, REASON_LENGTH)
