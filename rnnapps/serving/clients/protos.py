"""TensorFlow Serving's official protocol messages, imported without importing TensorFlow.

`tensorflow_serving.apis` builds on messages that live in TensorFlow's package (`tensorflow.core.framework.tensor_pb2`).
Those modules need protobuf alone; only the package's `__init__` loads TensorFlow, and takes seconds. So while they are
imported a bare package of that name, with the same search path, stands in for it.
"""

import contextlib
import importlib.util
import sys
import types
from collections.abc import Iterator

from rnnapps.extras import from_extra


@contextlib.contextmanager
def _bare_package(name: str) -> Iterator[None]:
    """Lets submodules of a package be imported without running its `__init__`; does nothing if it has run already."""
    if name in sys.modules or (spec := importlib.util.find_spec(name)) is None:
        yield
        return
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    try:
        yield
    finally:
        del sys.modules[name]  # whoever imports it later gets the real one


with _bare_package("tensorflow"):
    from_extra("tensorflow_serving.apis.predict_pb2", extra="serving", purpose="grpc://")
    from tensorflow.core.framework import tensor_pb2, types_pb2
    from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

__all__ = ["get_model_metadata_pb2", "predict_pb2", "tensor_pb2", "types_pb2"]
