"""An export loaded as TensorFlow Serving loads it: graph, restored variables, initialised tables."""

import logging

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from .graph import INITIALIZER


class Served:
    """An export in a session, as in the server's C++; no Python object of the model is made.

    Args:
        export: The folder of a version.
    """

    def __init__(self, export: str):
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns that sessions are deprecated
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, ["serve"], export)
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = {
            name: signature for name, signature in meta.signature_def.items() if name != INITIALIZER
        }

    def ask(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The answers of a signature by name."""
        definition = self.signatures[signature]
        feed = {definition.inputs[name].name: value for name, value in inputs.items()}
        return self._session.run({name: tensor.name for name, tensor in definition.outputs.items()}, feed)

    def variables(self) -> dict[str, bool]:
        """The names of the variables, and whether each has a value."""
        graph = self._session.graph
        handles = [operation for operation in graph.get_operations() if operation.type == "VarHandleOp"]
        with graph.as_default():
            filled = {handle.name: tf.raw_ops.VarIsInitializedOp(resource=handle.outputs[0]) for handle in handles}
        return {name: bool(value) for name, value in self._session.run(filled).items()}
