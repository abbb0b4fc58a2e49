"""What the examples in docstrings are run with; `--doctest-modules` collects them from rnnapps/."""

import importlib

import pytest


@pytest.fixture(autouse=True)
def names_of_examples(request, monkeypatch, tmp_path_factory):
    """NumPy, TensorFlow, Keras, the layers and what the module's room exports, in a folder of its own."""
    if not isinstance(request.node, pytest.DoctestItem):
        return
    import keras
    import numpy as np
    import tensorflow as tf

    from rnnapps import layers

    own_names = request.node.dtest.globs
    room = importlib.import_module(".".join(own_names["__name__"].split(".")[:2]))
    names = {"np": np, "tf": tf, "keras": keras}
    for module in (room, layers):
        names |= {name: getattr(module, name) for name in getattr(module, "__all__", ())}
    own_names |= {name: value for name, value in names.items() if name not in own_names}
    monkeypatch.chdir(tmp_path_factory.mktemp("example"))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.getbasetemp() / "tensorflow_datasets"))
