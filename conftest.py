"""What the examples in docstrings are run with; `--doctest-modules` collects them from rnnapps/."""

import importlib
from pathlib import Path

import pytest

LIBRARY = Path(__file__).parent / "rnnapps"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """A module without an example is not imported: those of Beam alone would bring PyTorch into every worker."""
    if collection_path.suffix == ".py" and LIBRARY in collection_path.parents:
        return ">>>" not in collection_path.read_text(encoding="utf-8") or None
    return None


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
