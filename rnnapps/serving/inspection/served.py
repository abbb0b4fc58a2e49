"""An export held as TensorFlow Serving holds it: the graph, its variables restored, its tables initialised."""

import logging

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2


class Served:
    """Loads an export into a session, as the server's C++ does; no Python object of the model is made.

    Args:
        export: a version's folder.
    """

    def __init__(self, export: str):
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # sessions are what the server has, deprecated or not
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            meta = tf.compat.v1.saved_model.load(self._session, ["serve"], export)
        self.signatures: dict[str, meta_graph_pb2.SignatureDef] = {
            name: one for name, one in meta.signature_def.items() if name != "__saved_model_init_op"
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
            asked = {one.name: tf.raw_ops.VarIsInitializedOp(resource=one.outputs[0]) for one in handles}
        return {name: bool(value) for name, value in self._session.run(asked).items()}
