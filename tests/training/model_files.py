"""A model like those of the applications, and its `model.keras` with something changed in it."""

from __future__ import annotations

import io
import json
import pathlib
import zipfile
from collections.abc import Callable
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from rnnapps import layers, training
from rnnapps.errors import UserError

CELLS = {"gru": layers.GRU, "lstm": layers.LSTM}
INPUTS = np.arange(6, dtype="int32").reshape(2, 3)


@keras.saving.register_keras_serializable("rnnapps_tests")
class Tagger(keras.Model):
    """A model like those of the applications: built from plain options, layers in a list."""

    def __init__(self, vocabulary, units=3, layers=1, cell="gru", sample_rate=16_000, **kwargs):
        super().__init__(**kwargs)
        self.options = {
            "vocabulary": vocabulary, "units": units, "layers": layers, "cell": cell, "sample_rate": sample_rate,
        }  # fmt: skip
        self.embedding = keras.layers.Embedding(len(vocabulary) + 1, units)
        self.recurrent = [CELLS[cell](units, return_sequences=True) for _ in range(layers)]
        self.head = keras.layers.Dense(2)

    def build(self, shape=None):
        self.call(np.zeros((1, 2), "int32"))
        self.built = True

    def call(self, tokens):
        sequence = self.embedding(tokens)
        for layer in self.recurrent:
            sequence = layer(sequence)
        return self.head(sequence)

    def get_config(self):
        return {**super().get_config(), **self.options}


@keras.saving.register_keras_serializable("rnnapps_tests")
class Other(Tagger):
    """Another class."""


@keras.saving.register_keras_serializable("rnnapps_tests")
class Third(Tagger):
    """And one more."""


def load(path: pathlib.Path, model_class: type | tuple[type, ...] = Tagger) -> keras.Model:
    return training.load_model(training.RunFolder(path.parent), model_class)


def refusal(path: pathlib.Path, model_class: type | tuple[type, ...] = Tagger) -> str:
    with pytest.raises(UserError) as caught:
        load(path, model_class)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and message.isprintable() and len(message) < 600
    assert message.endswith("restore the file, or train the run again with --overwrite")
    return message


def parts(path: pathlib.Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(folder: pathlib.Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> pathlib.Path:
    path = folder / "model.keras"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def with_config(good: pathlib.Path, folder: pathlib.Path, change: Callable[[dict[str, Any]], Any]) -> pathlib.Path:
    """The good file with another configuration: `change` edits it, or returns the bytes to write."""
    members = parts(good)
    config = json.loads(members["config.json"])
    changed = change(config)
    members["config.json"] = changed if isinstance(changed, bytes) else json.dumps(config).encode()
    return written(folder, members)


def with_weights(good: pathlib.Path, folder: pathlib.Path, change: Callable[[h5py.File], None]) -> pathlib.Path:
    members = parts(good)
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    return written(folder, members | {"model.weights.h5": content.getvalue()})
